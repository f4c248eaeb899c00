"""`dantaro worker` and `dantaro api`: one process each, in the foreground."""

from dantaro.app.supervisor import die_with_parent
from dantaro.logs import configure_logs
from dantaro.settings import Settings, load_settings


def run_worker(*, supervised_by: int | None) -> None:
    """Run a worker until SIGTERM or Ctrl-C."""
    settings = _start("worker", supervised_by)
    # For weight: the API must not load what a worker needs.
    from dantaro.worker.main import main  # noqa: PLC0415

    main(settings)


def run_api(*, supervised_by: int | None) -> None:
    """Run the API until SIGTERM or Ctrl-C."""
    settings = _start("api", supervised_by)
    # For weight: a worker does not serve.
    from dantaro.api.server import serve  # noqa: PLC0415

    serve(settings)


def _start(process: str, supervised_by: int | None) -> Settings:
    if supervised_by is not None:
        die_with_parent(supervised_by)
    settings = load_settings()
    configure_logs(log_format=settings.log_format, level=settings.log_level, process=process)
    return settings
