"""The API as a process: what it loads, and that it starts with nothing at hand."""

import json
import os
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "alembic",
    "ccxt",
    "dask",
    "numpy",
    "pandas",
    "polars",
    "psycopg",
    "pyarrow",
    "redis",
    "talib",
)

PROGRAM = """
import asyncio, json, sys, time
started = time.perf_counter()
import dantaro.api.server
from dantaro.api.application import build_application
from dantaro.app.api import build_api
from dantaro.settings import load_settings

edge = build_application(build_api(load_settings()))

async def ask(path):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(),
             "query_string": b"", "root_path": "", "scheme": "http", "http_version": "1.1",
             "headers": [], "client": None, "server": None, "asgi": {"version": "3.0"}, "state": {}}
    await edge(scope, receive, send)
    return sent[0]["status"]

async def main():
    inbox = asyncio.Queue()
    up, down = asyncio.Event(), asyncio.Event()
    async def send(message):
        (up if "startup" in message["type"] else down).set()
    task = asyncio.create_task(edge({"type": "lifespan", "state": {}}, inbox.get, send))
    await inbox.put({"type": "lifespan.startup"})
    await up.wait()
    statuses = {path: await ask(path) for path in ("/health", "/ready", "/api/v1/recommendations")}
    await asyncio.sleep(0.5)
    await inbox.put({"type": "lifespan.shutdown"})
    await task
    return statuses

statuses = asyncio.run(main())
loaded = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"loaded": loaded, "statuses": statuses}))
"""


def test_the_api_starts_without_a_database_and_loads_no_heavy_library(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if "DANTARO" not in name}
    environment["DANTARO_HOME"] = str(tmp_path)
    run = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", PROGRAM],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    outcome = json.loads(run.stdout.splitlines()[-1])
    assert set(HEAVY) & set(outcome["loaded"]) == set()
    assert outcome["statuses"] == {"/health": 200, "/ready": 503, "/api/v1/recommendations": 401}
