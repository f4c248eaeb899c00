"""Settings: where they come from, and what is refused."""

from pathlib import Path

import pytest

from dantaro.errors import ConfigurationError, InvalidSettings, SettingError
from dantaro.market.timeframes import DAILY, FOUR_HOURLY, HOURLY
from dantaro.settings import DECLARATIONS, load_settings, read_settings


def test_without_anything_set_the_defaults_of_the_issue_hold(tmp_path: Path) -> None:
    settings = load_settings({}, folder=tmp_path)
    assert settings.port == 8000
    assert settings.exchanges == ("upbit", "okx")
    assert settings.quotes == ("KRW", "USDT")
    assert settings.universe_size == 200
    assert settings.timeframes == (HOURLY, DAILY)
    assert settings.home == Path.cwd() / "var"
    assert settings.database_url == f"sqlite:///{settings.home}/dantaro.db"
    assert settings.cache_url == "memory://"


def test_the_default_database_follows_the_data_folder(tmp_path: Path) -> None:
    settings = load_settings({"DANTARO_HOME": str(tmp_path / "a folder")}, folder=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/a folder/dantaro.db"


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "dantaro.toml").write_text('port = 8001\nhost = "127.0.0.2"\n')
    effective = read_settings({"DANTARO_PORT": "8002"}, folder=tmp_path)
    assert (effective.settings.port, effective.settings.host) == (8002, "127.0.0.2")
    assert effective.sources["port"] == "environment DANTARO_PORT"
    assert effective.sources["host"] == f"file {tmp_path / 'dantaro.toml'}"
    assert effective.sources["quotes"] == "default"


def test_toml_may_use_its_own_lists_tables_and_numbers(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(
        'exchanges = ["binance", "upbit"]\nuniverse_size = 50\n'
        '[venue_urls]\nbinance = "http://127.0.0.1:8101/"\n'
    )
    settings = load_settings({"DANTARO_CONFIG": str(file)}, folder=tmp_path)
    assert settings.exchanges == ("binance", "upbit")
    assert settings.universe_size == 50
    assert settings.venue_urls == {"binance": "http://127.0.0.1:8101"}


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_variable_counts_as_not_set(tmp_path: Path, text: str) -> None:
    effective = read_settings({"DANTARO_PORT": text}, folder=tmp_path)
    assert effective.settings.port == 8000
    assert effective.sources["port"] == "default"


def test_an_unknown_variable_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"DANTARO_PROT=.*did you mean DANTARO_PORT"):
        load_settings({"DANTARO_PROT": "8000"}, folder=tmp_path)


def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    (tmp_path / "dantaro.toml").write_text('exchange = "upbit"\n')
    with pytest.raises(
        SettingError, match=r"^dantaro.toml: exchange = 'upbit' .*did you mean exchanges"
    ):
        load_settings({}, folder=tmp_path)


def test_a_value_of_the_file_that_is_not_allowed_is_refused_naming_the_file(tmp_path: Path) -> None:
    (tmp_path / "dantaro.toml").write_text("bogus = 1\nport = 0\n")
    with pytest.raises(InvalidSettings) as caught:
        load_settings({}, folder=tmp_path)
    bogus, port = str(caught.value).splitlines()
    assert bogus.startswith("dantaro.toml: bogus = 1 is not valid: no such setting")
    assert port.startswith("dantaro.toml: port = '0' is not valid: expected a whole number")
    assert {error.setting for error in caught.value.errors} == {"bogus", "port"}


def test_variables_of_the_test_suite_are_left_alone(tmp_path: Path) -> None:
    load_settings({"DANTARO_TEST_FUZZ": "1", "CI": "true", "PATH": "/bin"}, folder=tmp_path)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    environment = {"DANTARO_PORT": "x", "DANTARO_NOPE": "1", "DANTARO_LOG_LEVEL": "loud"}
    with pytest.raises(InvalidSettings) as caught:
        load_settings(environment, folder=tmp_path)
    assert {error.setting for error in caught.value.errors} == set(environment)
    for name in environment:
        assert name in str(caught.value)
    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("DANTARO_PORT", "0", "1 to 65535"),
        ("DANTARO_PORT", "8000.5", "whole number"),
        ("DANTARO_HOST", "not a host", "host name"),
        ("DANTARO_HOME", "", None),
        ("DANTARO_EXCHANGES", "upbit,,okx", "comma-separated"),
        ("DANTARO_EXCHANGES", "up bit", "comma-separated"),
        ("DANTARO_QUOTES", "KRW;USDT", "comma-separated"),
        ("DANTARO_UNIVERSE_SIZE", "-1", "whole number"),
        ("DANTARO_TIMEFRAMES", "1h", "with 1h and 1d"),
        ("DANTARO_TIMEFRAMES", "1h,1d,7m", "with 1h and 1d"),
        ("DANTARO_DATABASE_URL", "mysql://localhost/x", "postgresql://"),
        ("DANTARO_DATABASE_URL", "sqlite:///:memory:", "sqlite:///PATH"),
        ("DANTARO_DATABASE_URL", "sqlite://", "sqlite:///PATH"),
        ("DANTARO_CACHE_URL", "memcached://localhost", "memory://"),
        ("DANTARO_CACHE_URL", "valkey://localhost:notaport/0", "memory://"),
        ("DANTARO_VENUE_URLS", "upbit=http://localhost", "JSON object"),
        ("DANTARO_VENUE_URLS", '["http://localhost"]', "JSON object"),
        ("DANTARO_VENUE_URLS", '{"upbit": "ftp://localhost"}', "JSON object"),
        ("DANTARO_VENUE_URLS", '{"upbit": "http://user:pw@localhost"}', "JSON object"),
        ("DANTARO_VENUE_URLS", '{"upbit": "http://"}', "JSON object"),
        ("DANTARO_VENUE_URLS", '{"upbit": 5}', "JSON object"),
        ("DANTARO_LOG_FORMAT", "xml", "console, json"),
    ],
)
def test_a_value_that_is_not_allowed_is_refused_saying_what_is(
    tmp_path: Path, variable: str, value: str, allowed: str | None
) -> None:
    if allowed is None:
        load_settings({variable: value}, folder=tmp_path)
        return
    with pytest.raises(SettingError) as caught:
        load_settings({variable: value}, folder=tmp_path)
    assert caught.value.setting == variable
    assert allowed in str(caught.value)


def test_an_address_for_an_exchange_that_is_not_collected_is_refused(tmp_path: Path) -> None:
    environment = {"DANTARO_VENUE_URLS": '{"upbti": "http://127.0.0.1:1"}'}
    with pytest.raises(SettingError, match=r"upbti.*DANTARO_EXCHANGES has upbit, okx"):
        load_settings(environment, folder=tmp_path)


def test_candles_may_not_be_deleted_before_they_are_filled_back(tmp_path: Path) -> None:
    environment = {"DANTARO_RETAIN_HOURLY_DAYS": "30"}
    with pytest.raises(SettingError, match=r"DANTARO_BACKFILL_HOURLY_DAYS"):
        load_settings(environment, folder=tmp_path)


def test_lists_are_normalised_and_keep_their_order(tmp_path: Path) -> None:
    environment = {
        "DANTARO_EXCHANGES": "OKX, upbit,okx",
        "DANTARO_QUOTES": "usdt",
        "DANTARO_TIMEFRAMES": "1d, 4h,1h",
    }
    settings = load_settings(environment, folder=tmp_path)
    assert settings.exchanges == ("okx", "upbit")
    assert settings.quotes == ("USDT",)
    assert settings.timeframes == (HOURLY, FOUR_HOURLY, DAILY)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "database_url"
    file.write_text("postgresql://u:p@db/dantaro\n")
    effective = read_settings({"DANTARO_DATABASE_URL_FILE": str(file)}, folder=tmp_path)
    assert effective.settings.database_url == "postgresql://u:p@db/dantaro"
    assert "DANTARO_DATABASE_URL_FILE" in effective.sources["database_url"]


def test_a_secret_both_as_a_value_and_as_a_file_is_refused(tmp_path: Path) -> None:
    environment = {
        "DANTARO_DATABASE_URL_FILE": str(tmp_path / "x"),
        "DANTARO_DATABASE_URL": "postgresql://db/dantaro",
    }
    with pytest.raises(SettingError, match=r"DANTARO_DATABASE_URL_FILE.*DANTARO_DATABASE_URL"):
        load_settings(environment, folder=tmp_path)


def test_a_missing_file_of_a_secret_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"DANTARO_CACHE_URL_FILE.*nowhere"):
        load_settings({"DANTARO_CACHE_URL_FILE": str(tmp_path / "nowhere")}, folder=tmp_path)


@pytest.mark.parametrize(
    ("variable", "secret"),
    [
        ("DANTARO_DATABASE_URL", "mysql://user:hunter2@db/x"),
        ("DANTARO_CACHE_URL", "other://:hunter2@db/x"),
        ("DANTARO_DATABASE_URI_PASSWORD", "hunter2"),
    ],
)
def test_an_error_about_a_secret_does_not_show_it(
    tmp_path: Path, variable: str, secret: str
) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings({variable: secret}, folder=tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_named_settings_file_that_is_missing_or_torn_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"absent.toml"):
        load_settings({"DANTARO_CONFIG": str(tmp_path / "absent.toml")}, folder=tmp_path)
    (tmp_path / "dantaro.toml").write_text("port = = 3")
    with pytest.raises(ConfigurationError, match=r"dantaro.toml"):
        load_settings({}, folder=tmp_path)


def test_every_default_is_allowed_and_every_setting_says_what_it_is_for() -> None:
    for declaration in DECLARATIONS.values():
        declaration.kind.parse(declaration.default)
        assert declaration.description.endswith((".", ".)"))
        assert declaration.kind.allowed
