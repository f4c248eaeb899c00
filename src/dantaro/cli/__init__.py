"""The `dantaro` command: thin commands over the rooms below.

Exit codes: 0 done; 1 failed; 2 the command line, a setting or a file is wrong and must be mended;
75 (EX_TEMPFAIL) something is away, the same command may succeed later; 130 interrupted.
"""
# Each command imports what it needs when it runs, for weight: `dantaro --help` answers in a fraction
# of a second, and the API never loads what only the worker needs.
# ruff: noqa: PLC0415
# A command's parameters are options of its command line and never positional.
# ruff: noqa: FBT002, PLR0917

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dantaro import __version__
from dantaro.errors import ConfigurationError, DantaroError, NotFound, RequestError, RetryLater

__all__ = ["app", "main"]

EXIT_FAILED = 1
EXIT_CONFIGURATION = 2
EXIT_RETRY_LATER = 75

app = typer.Typer(
    name="dantaro",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
keys = typer.Typer(no_args_is_help=True)
app.add_typer(keys, name="keys", help="API keys: `create`, `list`, `rotate`, `revoke`.")

_Json = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
_Supervised = Annotated[
    int | None,
    typer.Option(hidden=True, help="End when the process with this id, the parent, ends."),
]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; ends the process with the exit code."""
    try:
        app(args=arguments, prog_name="dantaro")
    except DantaroError as error:
        from dantaro.logs import mask

        nearest = error.nearest if isinstance(error, NotFound) else ()
        hint = f"; there is {', '.join(nearest)}" if nearest else ""
        typer.secho(f"error: {mask(str(error))}{hint}", fg="red", err=True)
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        sys.exit(130)


def _exit_code(error: DantaroError) -> int:
    if isinstance(error, (ConfigurationError, RequestError)):
        return EXIT_CONFIGURATION
    return EXIT_RETRY_LATER if isinstance(error, RetryLater) else EXIT_FAILED


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's callback
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Dantaro Central: collects candles, ranks coins, serves the results to trading bots.

    Start with `dantaro demo` (simulated exchanges, nothing leaves this machine) or `dantaro up`
    (live exchanges). Settings are `DANTARO_*` variables or `dantaro.toml`; see `dantaro config`.

    Exit codes: 0 done, 1 failed, 2 a setting, a file or the command line is wrong, 75 something is
    away and the same command may succeed later.
    """


@app.command()
def up() -> None:
    """Run everything on this machine: migrate, then supervise one worker and one API.

    On an empty store it makes the first API key and prints it once. What dies is restarted, with
    backoff; Ctrl-C or SIGTERM stops both.
    """
    from dantaro.cli.up import run

    raise typer.Exit(run())


@app.command()
def demo() -> None:
    """Try the whole system against two simulated exchanges on loopback.

    Everything from the exchange's HTTP answers upwards is the production path. Data goes to the
    folder `demo` in `DANTARO_HOME` (`./var/demo`), apart from any real store; every answer says
    `data_origin: simulated`. Runs until Ctrl-C.
    """
    from dantaro.cli.demo import run

    raise typer.Exit(run())


@app.command()
def worker(supervised_by: _Supervised = None) -> None:
    """Collect, analyse and publish: the writing half.

    Refuses a database whose schema is not this version's (`dantaro migrate` mends it), and waits for
    a database that is away. Several workers may share one PostgreSQL: each slot runs once.
    """
    from dantaro.cli.processes import run_worker

    run_worker(supervised_by=supervised_by)


@app.command()
def api(supervised_by: _Supervised = None) -> None:
    """Serve the published results over HTTP: the reading half.

    Starts without the worker, the cache, the database or any data; `/ready` says what is missing.
    Refuses a database whose schema is not this version's (`dantaro migrate` mends it).
    """
    from dantaro.cli.processes import run_api

    run_api(supervised_by=supervised_by)


@app.command()
def venue(
    exchange: Annotated[
        list[str],
        typer.Option(help="binance or upbit; repeat it for several, on consecutive ports."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Recorded candles (parquet). Without it a simulated market is served."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="The exchange's time at the start, `2023-06-01` or `2023-06-01T12:00` (UTC). "
            "Default: now for a simulated market; for a recording, late enough to have a history."
        ),
    ] = None,
    speed: Annotated[
        float, typer.Option(help="How many seconds of the exchange's time pass in one.", min=0.001)
    ] = 1.0,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The first port; 0 takes free ones.", min=0, max=65535)
    ] = 8101,
    seed: Annotated[int, typer.Option(help="Which simulated market; the same seed, the same.")] = 1,
    unlimited: Annotated[
        bool,
        typer.Option("--unlimited", help="Count no requests, where the real exchange would."),
    ] = False,
    supervised_by: _Supervised = None,
) -> None:
    """Serve recorded or simulated candles in an exchange's own format, to collect from.

    Prints the `DANTARO_VENUE_URLS` and `DANTARO_EXCHANGES` to use with it. Recorded timestamps are
    never shifted: the exchange publishes its own time, and Dantaro follows it.
    """
    from dantaro.cli.venue import run

    run(
        exchanges=exchange,
        data=data,
        start=start,
        speed=speed,
        host=host,
        port=port,
        seed=seed,
        unlimited=unlimited,
        supervised_by=supervised_by,
    )


@app.command()
def migrate(
    down: Annotated[
        str | None,
        typer.Option(
            "--down",
            "--to",
            help="Go back to this revision (`base`: remove everything). Loses data.",
        ),
    ] = None,
) -> None:
    """Bring the database's schema to this version's. Safe to run again and from several machines."""
    from dantaro.cli.database import run_migration

    run_migration(down=down)


@app.command()
def backfill(
    exchange: Annotated[
        list[str] | None, typer.Option(help="Only this exchange; repeat it for several.")
    ] = None,
    timeframe: Annotated[
        list[str] | None, typer.Option(help="Only these candles, `1h` or `1d`.")
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(help="How far back. Default: the DANTARO_BACKFILL_* settings.", min=1),
    ] = None,
) -> None:
    """Collect past candles now, with a progress bar.

    What is stored already is not asked for again, so an interrupted run resumes where it was.
    """
    from dantaro.cli.backfill import run

    run(exchanges=exchange or [], timeframes=timeframe or [], days=days)


@app.command()
def status(
    as_json: _Json = False,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="For scripts: print only what is not well, and exit with 1 if there is anything.",
        ),
    ] = False,
) -> None:
    """Say how the system is: workers, exchanges, last runs, what is published and how old it is.

    Reads the database only, so it works while the API is down.

    With `--check` the exit code is 0 when everything is well: a worker is alive, every exchange
    answers and its candles are in time, something fresh is published, and no job's newest run failed.
    It is 1 otherwise, with one reason in each line (with `--json`, the whole report, the reasons as
    `problems`); 2 when the store is missing or has another schema; 75 when the database is away.
    """
    from dantaro.cli.status import run

    raise typer.Exit(run(as_json=as_json, check=check))


@app.command()
def config(
    as_json: _Json = False,
    env: Annotated[bool, typer.Option("--env", help="Print `.env.example` instead.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print `docs/configuration.md` instead.")
    ] = False,
) -> None:
    """Print the effective settings and where each came from; passwords are masked."""
    from dantaro.cli.configuration import configuration_page, env_example, show_settings

    if env or markdown:
        typer.echo(env_example() if env else configuration_page(), nl=False)
    else:
        show_settings(as_json=as_json)


@app.command()
def evaluate(
    data: Annotated[
        list[Path],
        typer.Option(
            help="Recorded candles (parquet); repeat it. Engines are chosen and fitted on the first, "
            "walk-forward; on the others they are measured as they are."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder for report.html and report.json.")],
    horizons: Annotated[
        str, typer.Option(help="Days after the decision at which it is measured.")
    ] = "1,3,7",
    costs_bps: Annotated[
        float,
        typer.Option(help="Fee plus half spread per side, in basis points.", min=0, max=1000),
    ] = 20.0,
    timeframe: Annotated[
        str | None,
        typer.Option(
            help="Only candles of this length. Default: all; decisions are daily, 00:00 UTC."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of every random draw.", min=0)] = 1,
    top: Annotated[
        int, typer.Option(help="Length of the top list held against the universe.", min=1)
    ] = 20,
    random: Annotated[int, typer.Option(help="Random rankings to compare with.", min=1)] = 1000,
    engine: Annotated[
        list[str] | None, typer.Option(help="Try this engine only; repeat it. Default: all.")
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help="Measure this finished model instead, on days that it was not fitted on."
        ),
    ] = None,
    no_levels: Annotated[
        bool, typer.Option("--no-levels", help="Leave support and resistance levels out.")
    ] = False,
) -> None:
    """Measure on recorded candles what recommendations and levels are worth.

    Writes one self-contained HTML report and its figures as JSON. An interrupted run, started again
    with the same options, goes on where it was. Needs `pip install "dantaro[research]"`.
    """
    from dantaro.cli.evaluate import run

    run(
        data=data,
        out=out,
        horizons=horizons,
        costs_bps=costs_bps,
        timeframe=timeframe,
        seed=seed,
        top=top,
        random=random,
        engines=engine or [],
        model=model,
        levels=not no_levels,
    )


@app.command()
def fit(
    data: Annotated[
        list[Path],
        typer.Option(
            help="Recorded candles (parquet); repeat it. The first is fitted on, all are measured on."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The model file to write.")],
    until: Annotated[
        str | None, typer.Option(help="Look at candles before this day only, `2023-06-30`.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="The engine to fit. Default: the one that is shipped.")
    ] = None,
    levels: Annotated[
        bool,
        typer.Option(
            "--levels",
            help="Fit the model of support and resistance levels instead, on all hourly candles before "
            "--until; what follows is its record.",
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> None:
    """Fit the model behind the total score, and write it with its out-of-sample record.

    Serve it with `DANTARO_RANKING_MODEL`, that of `--levels` with `DANTARO_LEVELS_MODEL`. Needs `pip install "dantaro[research]"`.
    """
    from dantaro.cli.fit import run

    run(data=data, out=out, until=until, engine=engine, levels=levels, force=force)


@keys.command("create")
def create_key(
    name: Annotated[str, typer.Option(help="Whose key it is, for `keys list`.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(
            help="What it may do: read, stream, metrics, admin; repeat it. Default: read."
        ),
    ] = None,
    days: Annotated[int | None, typer.Option(help="Expires after so many days.", min=1)] = None,
    limit_per_minute: Annotated[
        int | None, typer.Option(help="A request limit of its own.", min=1)
    ] = None,
    url_token: Annotated[
        bool,
        typer.Option(
            "--url-token", help="For a client that can send no header: accepted as `?token=`."
        ),
    ] = False,
    as_json: _Json = False,
) -> None:
    """Make a key and print it. It is shown this once; the database keeps its hash only."""
    from dantaro.cli.keys import create

    create(
        name=name,
        scopes=scope or [],
        days=days,
        limit_per_minute=limit_per_minute,
        url_token=url_token,
        as_json=as_json,
    )


@keys.command("list")
def list_keys(as_json: _Json = False) -> None:
    """List the keys: id, name, scopes, expiry, state. Never the keys themselves."""
    from dantaro.cli.keys import show

    show(as_json=as_json)


@keys.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(help="The id, as `keys list` shows it.")],
    overlap_hours: Annotated[
        float, typer.Option(help="How long the old key goes on working.", min=0)
    ] = 24.0,
    as_json: _Json = False,
) -> None:
    """Replace a key by a new one and print it; the old one works on for a while."""
    from dantaro.cli.keys import rotate

    rotate(key_id, overlap_hours=overlap_hours, as_json=as_json)


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The id, as `keys list` shows it.")],
) -> None:
    """End a key; every process refuses it within two seconds."""
    from dantaro.cli.keys import revoke

    revoke(key_id)
