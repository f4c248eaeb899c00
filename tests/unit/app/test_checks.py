"""What must hold on the machine before anything starts."""

import socket
from pathlib import Path

import pytest

from dantaro.app.checks import require_free_port, require_home
from dantaro.errors import ConfigurationError


def test_a_missing_data_folder_is_made(tmp_path: Path) -> None:
    home = tmp_path / "a folder" / "below"
    require_home(home)
    require_home(home)
    assert list(home.iterdir()) == []


def test_a_file_where_the_data_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"file.*DANTARO_HOME"):
        require_home(tmp_path / "file")
    with pytest.raises(ConfigurationError, match=r"below.*DANTARO_HOME"):
        require_home(tmp_path / "file" / "below")


def test_a_data_folder_on_which_nothing_can_be_made_is_named() -> None:
    # Read-only even for root, who may run the tests.
    with pytest.raises(ConfigurationError, match=r"/proc.*written.*DANTARO_HOME"):
        require_home(Path("/proc"))


def test_a_taken_port_is_named_with_its_setting_and_a_free_one_is_not() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} .*DANTARO_PORT"):
            require_free_port("127.0.0.1", port)
    require_free_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"192\.0\.2\.1"):
        require_free_port("192.0.2.1", 8000)
