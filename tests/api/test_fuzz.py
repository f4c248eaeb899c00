"""Whatever is asked, the answer is never our own failure, and always one of the documented statuses."""

import asyncio
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import api_world as world
from api_client import HandClock, serve
from dantaro.api.application import Options
from dantaro.storage.engine import Store
from dantaro.storage.keys import create_key

PATHS = (
    "/api/v1/recommendations",
    "/api/v1/recommendations/{symbol}",
    "/api/v1/support-levels/{symbol}",
    "/api/v1/market-status",
    "/api/v1/track-record",
    "/api/v1/rating/{symbol}",
    "/api/v1/exclusions",
    "/api/v1/premium",
    "/api/v1/markets",
    "/api/v1/coins",
    "/api/v1/candles/{symbol}",
    "/api/v1/generations",
    "/api/v1/worker/status",
    "/api/v1/health",
    "/ready",
)
NAMES = [
    "top_n",
    "use_cache",
    "exchange",
    "quote",
    "strength",
    "min_turnover",
    "as_of",
    "timeframe",
    "coin",
    "start",
    "end",
    "limit",
    "format",
    "history",
    "symbols",
    "horizon",
    "tier",
    "source",
    "subject",
]
ACCEPTED = {
    "/api/v1/recommendations": {
        "top_n",
        "use_cache",
        "exchange",
        "quote",
        "strength",
        "min_turnover",
        "as_of",
    },
    "/api/v1/recommendations/{symbol}": {"exchange", "as_of"},
    "/api/v1/support-levels/{symbol}": {"exchange", "as_of", "use_cache"},
    "/api/v1/market-status": {"exchange", "quote", "as_of", "use_cache"},
    "/api/v1/track-record": {
        "horizon",
        "tier",
        "source",
        "subject",
        "exchange",
        "quote",
        "as_of",
    },
    "/api/v1/rating/{symbol}": {"exchange", "timeframe", "history"},
    "/api/v1/exclusions": {"exchange", "as_of"},
    "/api/v1/premium": {"coin", "history"},
    "/api/v1/markets": {"exchange", "quote"},
    "/api/v1/coins": {"exchange", "quote"},
    "/api/v1/candles/{symbol}": {"exchange", "timeframe", "start", "end", "limit", "format"},
    "/api/v1/generations": {"start", "end", "limit"},
}
VALUES = (
    "",
    "0",
    "1",
    "-1",
    "100",
    "1e308",
    "NaN",
    "true",
    "upbit",
    "KRW",
    "BUY,SELL",
    "1h",
    "1d",
    "2026-01-01T00:00:00Z",
    "2025-12-31",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "csv",
    "arrow",
    "BTC",
    "7",
    "high",
    "live",
    "levels",
)
SYMBOLS = ("BTC", "BTC/KRW", "upbit:BTC/KRW", "KRW-BTC", "USDC", "", "/", "//", ":", "..", "@")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
words = st.sampled_from(VALUES) | texts
queries = st.lists(st.tuples(st.sampled_from(NAMES) | texts, words), max_size=4)
symbols = st.sampled_from(SYMBOLS) | texts
conditions = st.sampled_from(["", "*", '"x"', 'W/"1-fresh-0"', ",,,", "\x7f"])
bodies = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
bundle_fields = st.sampled_from(
    ["include_recommendations", "recommendations_count", "symbols", "include_market_status"]
)
DOCUMENTED = {200, 304, 400, 401, 403, 404, 413, 414, 422, 429}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("state", ["published", "empty"])
def test_no_request_makes_a_5xx(store: Store, clock: HandClock, state: str) -> None:
    key = create_key(store, name="fuzz", scopes=["read"]).plain
    options = Options(rate_limit_per_minute=1_000_000)
    if state == "published":
        world.settle(store)
        world.candles(store)
        world.publish(store, *world.every_part(), world.track_record())

    known = {path: ACCEPTED.get(path, {"use_cache", "top_n"}) for path in PATHS}
    with asyncio.Runner() as runner:
        context = serve(store, clock, options, key)
        api = runner.run(context.__aenter__())

        @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
        @given(path=st.sampled_from(PATHS), symbol=symbols, query=queries, condition=conditions)
        def ask(path: str, symbol: str, query: list[tuple[str, str]], condition: str) -> None:
            url = path.replace("{symbol}", quote(symbol, safe="/:@"))
            if (
                condition != "*"
            ):  # mostly without what is refused at once: unknown names and repeats
                query = list({name: value for name, value in query if name in known[path]}.items())
            headers = {"if-none-match": condition, "accept-encoding": condition}
            response = runner.run(api.get(url, params=query, headers=headers))
            assert response.status_code in DOCUMENTED, (url, query, response.text)

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(body=st.dictionaries(bundle_fields | texts, bodies, max_size=4) | bodies)
        def bundle(body: object) -> None:
            response = runner.run(api.client.post("/api/v1/bundle", json=body))
            assert response.status_code in DOCUMENTED, (body, response.text)

        try:
            ask()
            bundle()
        finally:
            runner.run(context.__aexit__(None, None, None))
