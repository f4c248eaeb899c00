"""Example answers of the paths beside the ranking; the values are invented."""

from collections.abc import Mapping

from pydantic.config import JsonDict

from dantaro.api.schemas import examples
from dantaro.api.schemas.examples import AGE, ITEM, PUBLISHED

_CLOSED = "2026-01-01T00:00:00Z"
_RESOLUTION: JsonDict = {
    "requested": "BTC",
    "market": "okx:BTC/USDT",
    "ambiguous": True,
    "candidates": ["okx:BTC/USDT", "upbit:BTC/KRW"],
}
_FIGURES: JsonDict = {"rating": 0.4, "label": "BUY", "moving_averages": 0.5, "oscillators": 0.3}
_RATING: JsonDict = {
    **_FIGURES,
    "timeframe": "1h",
    "votes": {"sma_10": 1, "rsi": 0, "ultimate": None},
    "values": {"sma_10": 61000.0, "rsi": 55.1, "ultimate": None},
    "data_as_of": _CLOSED,
    "unavailable": {"votes.ultimate": "no_data", "values.ultimate": "no_data"},
}
_SOURCE: JsonDict = {"cache_timestamp": PUBLISHED, "data_source": "cache"}
_WORKER: JsonDict = {
    "worker_id": "worker-1",
    "host": "box",
    "pid": 42,
    "version": "0.1.0",
    "speed": 1.0,
    "alive": True,
    "stopped": False,
    "started_at": "2025-12-31T00:00:00Z",
    "uptime_seconds": 86410.0,
    "last_beat_at": PUBLISHED,
    "heartbeat_age_seconds": 2.5,
    "current_jobs": ["levels"],
    "counts": {"succeeded": 3},
}
_FRESH: JsonDict = {"status": "healthy", "data_as_of": _CLOSED, "age_seconds": 30.0}

EXAMPLES: Mapping[str, JsonDict] = {
    "RecommendationsAnswer": examples.RECOMMENDATIONS,
    "SupportLevelsAnswer": examples.SUPPORT_LEVELS,
    "MarketStatusAnswer": examples.MARKET_STATUS,
    "BundleAnswer": examples.BUNDLE,
    "TrackRecordAnswer": examples.TRACK_RECORD,
    "RecommendationAnswer": {
        **AGE,
        **_SOURCE,
        "success": True,
        "symbol": "BTC",
        "recommendation": ITEM,
        "features": {"reversal_1d": 0.012, "turnover_30d": 1.1e9},
        "indicators": {"rsi_14": 55.1, "adx_14": None},
        "unavailable": {"adx_14": "insufficient_history"},
        "thresholds": {"universe_size": 200, "min_turnover_usd": 50000.0},
        "noted": [],
        "model": examples.MODEL,
        "places": [
            {
                "ranked_set": "all",
                "set_size": 200,
                "rank": 1,
                "total_score": 0.71,
                "technical_score": 0.6,
                "volume_score": 0.8,
                "volatility_score": 0.7,
                "risk_score": 0.9,
                "recommendation_strength": "BUY",
                "ranks": {"reversal_1d": 0.6, "turnover_30d": 0.8},
                "weights": {"reversal_1d": 0.5, "turnover_30d": 0.5},
                "base": 0.5,
                "contributions": {"reversal_1d": 0.05, "turnover_30d": 0.15},
                "estimate": 0.7,
                "model": "ridge",
                "unavailable": {},
            }
        ],
        "ratings": [_RATING],
        "resolution": _RESOLUTION,
        "generated_at": 1767225610.0,
    },
    "RatingAnswer": {
        **AGE,
        **_SOURCE,
        "success": True,
        "symbol": "BTC",
        "exchange": "okx",
        "market": "BTC/USDT",
        "ratings": [_RATING],
        "history": {
            "1h": [
                {**_FIGURES, "published_at": PUBLISHED, "data_as_of": _CLOSED, "unavailable": {}}
            ]
        },
        "resolution": _RESOLUTION,
    },
    "ExclusionsAnswer": {
        **AGE,
        **_SOURCE,
        "success": True,
        "exclusions": [
            {
                "exchange": "okx",
                "market": "USDC/USDT",
                "reasons": [
                    {
                        "reason": "stablecoin",
                        "figure": None,
                        "threshold": None,
                        "detail": "USDC is a stablecoin",
                        "unavailable": {"figure": "not_a_measure", "threshold": "not_a_measure"},
                    }
                ],
            }
        ],
        "total": 1,
        "counts": {"stablecoin": 1},
        "message": None,
    },
    "PremiumAnswer": {
        **AGE,
        **_SOURCE,
        "success": True,
        "premium": [
            {
                "exchange": "upbit",
                "coin": "BTC",
                "premium": 0.02,
                "krw_price": 9.0e7,
                "usdt_price": 60000.0,
                "krw_per_usdt": 1470.0,
                "rate_source": "upbit:USDT/KRW",
                "turnover_krw": 3.0e11,
                "data_as_of": _CLOSED,
                "unavailable": {},
            }
        ],
        "history": [
            {"published_at": PUBLISHED, "exchange": "upbit", "coin": "BTC", "premium": 0.02}
        ],
        "message": None,
    },
    "MarketsAnswer": {
        **AGE,
        "success": True,
        "markets": [
            {
                "exchange": "upbit",
                "market": "BTC/KRW",
                "coin": "BTC",
                "quote": "KRW",
                "venue_symbol": "KRW-BTC",
                "listed": True,
                "flags": [],
                "first_seen": "2025-12-01T00:00:00Z",
                "last_seen": _CLOSED,
                "series": [
                    {
                        "timeframe": "1h",
                        "first_candle": "2025-10-03T00:00:00Z",
                        "last_candle": "2025-12-31T23:00:00Z",
                        "asked_from": "2025-10-03T00:00:00Z",
                        "asked_until": _CLOSED,
                        "open_gaps": 1,
                        "missing_candles": 2,
                        "unavailable": {},
                    }
                ],
                "ranked": True,
                "excluded": [],
            }
        ],
        "total": 1,
        "gaps_truncated": False,
        "message": None,
    },
    "CoinsAnswer": {
        **AGE,
        "success": True,
        "coins": [
            {
                "coin": "BTC",
                "reference": "okx:BTC/USDT",
                "markets": ["okx:BTC/USDT", "upbit:BTC/KRW"],
                "exchanges": ["okx", "upbit"],
                "unavailable": {},
            }
        ],
        "total": 1,
        "message": None,
    },
    "CandlesAnswer": {
        **AGE,
        "success": True,
        "exchange": "okx",
        "market": "BTC/USDT",
        "timeframe": "1h",
        "columns": ["opened_at_ms", "open", "high", "low", "close", "volume"],
        "candles": [[1767222000000, 61000.0, 61500.0, 60800.0, 61200.0, 12.5]],
        "count": 1,
        "limit_reached": False,
        "resolution": _RESOLUTION,
    },
    "GenerationsAnswer": {
        **AGE,
        "success": True,
        "generations": [
            {
                "generation": 4711,
                "published_at": PUBLISHED,
                "published_real_at": PUBLISHED,
                "data_as_of": _CLOSED,
                "stale_after": "2026-01-01T02:05:00Z",
                "verified_at": PUBLISHED,
                "status": "complete",
                "origin": "live",
                "code_version": "0.1.0",
                "parameters": {"universe_size": 200},
                "inputs": {"okx": _CLOSED},
                "parts": [
                    {
                        "part": "recommendations",
                        "sha256": "0" * 64,
                        "size_bytes": 51234,
                        "created_generation": 4711,
                        "data_as_of": _CLOSED,
                        "stale_after": "2026-01-01T02:05:00Z",
                        "verified_at": PUBLISHED,
                    }
                ],
            }
        ],
        "total": 1,
        "limit_reached": False,
    },
    "WorkerStatusAnswer": {
        **AGE,
        "success": True,
        "status": "active",
        "workers": [_WORKER],
        "jobs": [
            {
                "job": "tickers:okx",
                "state": "succeeded",
                "scheduled_at": _CLOSED,
                "next_run_at": "2026-01-01T00:01:00Z",
                "worker_id": "worker-1",
                "attempt": 1,
                "started_at": _CLOSED,
                "finished_at": "2026-01-01T00:00:01Z",
                "seconds": 1.0,
                "counts": {"tickers": 400},
                "failed": False,
                "error": None,
                "unavailable": {},
            }
        ],
        "clock": "2026-01-01T00:00:30Z",
        "clock_speed": 1.0,
    },
    "HealthAnswer": {
        **AGE,
        "success": True,
        "status": "healthy",
        "timestamp": "2026-01-01T00:00:30Z",
        "api_server": "healthy",
        "database": {"status": "healthy", "kind": "sqlite", "latency_ms": 0.2},
        "cache": {"status": "healthy", "kind": "memory", "latency_ms": 0.01},
        "workers": {"status": "healthy", "active": 1, "known": 1, "last_beat_age_seconds": 2.5},
        "data_sources": {"okx": _FRESH},
        "parts": {"recommendations": _FRESH},
        "version": "0.1.0",
        "resources": None,
    },
    "ReadinessAnswer": {**AGE, "ready": True, "reasons": [], "notes": []},
    "LivenessAnswer": {"status": "ok"},
}
"""By the name of the answer's schema."""
