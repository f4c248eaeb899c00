"""Fill a fresh store with one published generation: `python -m benchmarks.publish_world URL MARKETS`.

Prints an API key.
"""

import sys

from benchmarks import world
from dantaro import __version__
from dantaro.analysis import engine
from dantaro.app.models import load_levels, load_ranking
from dantaro.clock import real_now_ms
from dantaro.market.clocks import ClockReading
from dantaro.market.documents import document, encode
from dantaro.market.markets import Origin
from dantaro.market.results import PartKind
from dantaro.storage import catalogue, facts, generations, keys, schema
from dantaro.storage.engine import open_store


def main(url: str, markets: int) -> str:
    """Publish an analysis of `markets` synthetic markets into `url`; the plain API key."""
    store = open_store(url)
    schema.migrate(store)
    facts.fix_origin(store, Origin.SIMULATED)
    # The market's time stands (nearly) still, so that nothing goes stale during a run.
    facts.save_clock(store, ClockReading(world.NOW_MS, real_now_ms(), 0.001))
    inputs = world.inputs(markets=markets, hours=2160, days=400)
    catalogue.save_markets(store, "binance", inputs.markets, at_ms=world.NOW_MS)
    tickers = tuple(inputs.tickers.values())
    catalogue.save_tickers(store, tickers, collected_at_ms=world.NOW_MS)
    ranking, level_model = load_ranking(None), load_levels(None)
    parameters = engine.Parameters(universe_size=markets, ranking=ranking, level_model=level_model)
    prepared = engine.prepare(inputs, parameters, now_ms=world.NOW_MS)
    found = engine.recommend(inputs, parameters, now_ms=world.NOW_MS, prepared=prepared)
    levels = engine.find_levels(inputs, parameters, now_ms=world.NOW_MS, prepared=prepared)
    status = engine.read_market(inputs, parameters, now_ms=world.NOW_MS, prepared=prepared)
    record = document(PartKind.TRACK_RECORD, (*ranking.records, *level_model.records))
    documents = (
        found.recommendations,
        found.ratings,
        found.exclusions,
        found.prices,
        levels,
        record,
    )
    generations.publish(
        store,
        generations.Publication(
            documents=tuple(encode(part) for part in (*documents, *status) if part is not None),
            analysed_at_ms=world.NOW_MS,
            data_as_of_ms=found.data_as_of_ms,
            stale_after_ms=found.stale_after_ms,
            status="complete",
            code_version=__version__,
            parameters=parameters.to_json(),
            inputs=found.inputs,
        ),
        lease=None,
        now_ms=lambda: world.NOW_MS,
    )
    created = keys.create_key(
        store, name="benchmark", scopes=("read",), limit_per_minute=1_000_000_000
    )
    store.close()
    return created.plain


if __name__ == "__main__":
    sys.stdout.write(main(sys.argv[1], int(sys.argv[2])))
