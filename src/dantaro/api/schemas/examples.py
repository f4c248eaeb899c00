"""Example answers for the OpenAPI document and `/docs`; the values are invented."""

from pydantic.config import JsonDict

AGE: JsonDict = {
    "data_as_of": "2026-01-01T00:00:00Z",
    "stale_after": "2026-01-01T02:05:00Z",
    "data_status": "fresh",
    "data_origin": "live",
    "generation": 4711,
    "data_note": None,
}
PUBLISHED = "2026-01-01T00:00:10Z"
MODEL: JsonDict = {
    "name": "ridge",
    "sha256": "0" * 64,
    "training": {
        "data": ["binance_spot_1d"],
        "decisions_from": "2021-04-01T00:00:00Z",
        "decisions_until": "2023-12-24T00:00:00Z",
        "rows": 199400,
    },
    "out_of_sample": [],
    "unavailable": {},
}
_BANDS: JsonDict = {
    "aggressive_support": 60000.0,
    "moderate_support": 58000.0,
    "conservative_support": 55000.0,
    "aggressive_resistance": 63000.0,
    "moderate_resistance": 65000.0,
    "conservative_resistance": None,
}
_MEASURED_ON: JsonDict = {"live": "all", "backtest": "binance_spot_1d"}
_STRENGTH_RECORD: JsonDict = {
    "beats_baselines": False,
    "measured_on": _MEASURED_ON,
    "horizons": {
        "1d": {
            "beats_baselines": True,
            "source": "backtest",
            "excess_return": {
                "live": {"mean": 0.0009, "low": -0.0021, "high": 0.0039, "n": 420, "days": 21},
                "backtest": {
                    "mean": 0.0011,
                    "low": 0.0004,
                    "high": 0.0018,
                    "n": 42100,
                    "days": 1003,
                },
            },
        },
        "7d": {
            "beats_baselines": False,
            "source": "backtest",
            "excess_return": {
                "backtest": {"mean": 0.0042, "low": -0.001, "high": 0.0094, "n": 41900, "days": 997}
            },
        },
    },
}
_LEVEL_CLASS: JsonDict = {
    "hold_rate": 0.629,
    "hold_minus_placebo": 0.019,
    "low": 0.0072,
    "high": 0.0308,
    "n": 5321,
    "days": 330,
    "beats_baselines": True,
}
_ON_RECORDINGS: JsonDict = {"backtest": "binance_spot_1h_2023"}
ITEM: JsonDict = {
    "symbol": "BTC",
    "total_score": 0.71,
    "technical_score": 0.6,
    "volume_score": 0.8,
    "volatility_score": 0.7,
    "risk_score": 0.9,
    "recommendation_strength": "BUY",
    "current_price": 61234.5,
    "price_change_24h": 0.012,
    "volume_24h": 1.2e9,
    "market_cap": None,
    "analysis_details": {
        "reversal_1d": 0.012,
        "turnover_30d": 1.1e9,
        "rsi_14": 55.1,
        "adx_14": 21.4,
    },
    "updated_at": "2026-01-01T00:00:05Z",
    "verified_at": PUBLISHED,
    "rank": 1,
    "coin": "BTC",
    "exchange": "okx",
    "market": "BTC/USDT",
    "price_at": "2026-01-01T00:00:05Z",
    "price_source": "ticker",
    "rating": {"1h": {"rating": 0.4, "label": "BUY", "moving_averages": 0.5, "oscillators": 0.3}},
    "levels": _BANDS,
    "track_record": _STRENGTH_RECORD,
    "data_as_of": "2026-01-01T00:00:00Z",
    "unavailable": {
        "market_cap": "no_source",
        "levels.conservative_resistance": "no_evidence",
    },
}
_SUPPORT_LEVELS: JsonDict = {
    **_BANDS,
    "symbol": "BTC",
    "calculation_method": "zones",
    "data_points_count": 2160,
    "updated_at": "2026-01-01T00:00:00Z",
    "verified_at": PUBLISHED,
    "unavailable": {"conservative_resistance": "no_evidence"},
}
_STATE: JsonDict = {
    "market_trend": "bullish",
    "market_sentiment": "positive",
    "overall_score": 0.6,
    "active_coins_count": 200,
    "total_market_cap": None,
    "total_volume_24h": 1.0e10,
    "analysis_summary": {"breadth_20d": 0.7},
    "updated_at": "2026-01-01T00:00:00Z",
    "verified_at": PUBLISHED,
    "turnover_currency": "USD",
    "volatility_regime": "calm",
    "gainers": {"okx:SOL/USDT": 0.05},
    "losers": {"okx:ETH/USDT": -0.02},
    "ranked_set": "all",
    "unavailable": {"total_market_cap": "no_source"},
}

RECOMMENDATIONS: JsonDict = {
    **AGE,
    "success": True,
    "recommendations": [ITEM],
    "total_analyzed": 200,
    "cache_timestamp": PUBLISHED,
    "generated_at": 1767225610.0,
    "data_source": "cache",
    "message": None,
    "ranked_set": "all",
    "unavailable": {},
}
SUPPORT_LEVELS: JsonDict = {
    **AGE,
    "success": True,
    "symbol": "BTC",
    "support_levels": _SUPPORT_LEVELS,
    "cache_timestamp": PUBLISHED,
    "data_source": "cache",
    "exchange": "okx",
    "market": "BTC/USDT",
    "current_price": 61234.5,
    "price_at": "2026-01-01T00:00:05Z",
    "price_source": "ticker",
    "levels_price": 61200.0,
    "atr": 1200.0,
    "levels": [
        {
            "side": "support",
            "crossed": False,
            "price": 60000.0,
            "zone_low": 59900.0,
            "zone_high": 60100.0,
            "touches": 3,
            "first_seen": "2025-12-28T00:00:00Z",
            "last_evidence_at": "2025-12-31T20:00:00Z",
            "confirmed_at": "2025-12-28T12:00:00Z",
            "expires_at": "2026-01-08T00:00:00Z",
            "age_seconds": 302400,
            "methods": ["swing", "round_number"],
            "strength": 0.5,
            "hold_probability": 0.64,
            "track_record": {
                "beats_baselines": True,
                "source": "backtest",
                "horizon_days": 7,
                "measured_on": _ON_RECORDINGS,
                "methods": {"round_number": {"backtest": _LEVEL_CLASS}},
            },
            "unavailable": {},
        }
    ],
    "track_record": {
        "horizon_days": 7,
        "measured_on": _ON_RECORDINGS,
        "overall": {"backtest": _LEVEL_CLASS},
        "sides": {"support": {"backtest": _LEVEL_CLASS}},
        "bands": {"aggressive_support": {"backtest": _LEVEL_CLASS}},
    },
    "model": MODEL,
    "resolution": {
        "requested": "BTC",
        "market": "okx:BTC/USDT",
        "ambiguous": True,
        "candidates": ["okx:BTC/USDT", "upbit:BTC/KRW"],
    },
    "unavailable": {"conservative_resistance": "no_evidence"},
}
MARKET_STATUS: JsonDict = {
    **AGE,
    "success": True,
    "status": "healthy",
    "total_symbols": 200,
    "system_health": {
        "worker": "active",
        "data": "fresh",
        "database": "reachable",
        "exchanges": "reachable",
    },
    "market_status": _STATE,
    "cache_timestamp": PUBLISHED,
    "data_source": "cache",
}
TRACK_RECORD: JsonDict = {
    **AGE,
    "success": True,
    "summary": [
        {
            "subject": "recommendations",
            "horizon_days": 7,
            "source": "backtest",
            "data": "binance_spot_1d",
            "beats_baselines": False,
            "text": "total_score against the return of the next 7 days (2023-04-04 to 2025-12-25, 997 days): "
            "mean daily rank correlation +0.129 (95 % interval +0.109 to +0.149). It is above the best of 10 "
            "baselines, equal_weight at +0.120, but not by more than chance: it does not beat its baselines.",
            "unavailable": {},
        }
    ],
    "live": [],
    "backtest": [
        {
            "subject": "recommendations",
            "measure": "rank_ic",
            "horizon_days": 7,
            "data": "binance_spot_1d",
            "group": "score",
            "name": "total",
            "value": 0.129,
            "low": 0.109,
            "high": 0.149,
            "t_stat": 12.9,
            "n": 199400,
            "days": 997,
            "measured_from": "2023-04-04T00:00:00Z",
            "measured_until": "2025-12-25T00:00:00Z",
            "beats_baselines": False,
            "unavailable": {},
        }
    ],
    "total": 1,
    "ranked_set": "all",
    "measured_at": PUBLISHED,
    "cache_timestamp": PUBLISHED,
    "data_source": "cache",
    "message": "there is no live record yet: no outcome yet: the horizon of the first day's publications "
    "passes at 2026-01-02T01:00:00Z; `backtest` is from recorded candles alone",
    "unavailable": {
        "live": "not_measured_yet",
        "live.recommendations.1d": "no outcome yet: the horizon of the first day's publications passes "
        "at 2026-01-02T01:00:00Z",
    },
}
BUNDLE: JsonDict = {
    **AGE,
    "success": True,
    "data": {
        "recommendations": [ITEM],
        "support_levels": {"BTC": _SUPPORT_LEVELS},
        "market_status": _STATE,
    },
    "cache_timestamp": PUBLISHED,
    "data_source": "cache",
    "message": None,
    "errors": {},
}
