"""The text of an API key."""

from hypothesis import given
from hypothesis import strategies as st

from dantaro.storage.key_text import new_key_text, parse_key, same_digest


def test_a_key_has_its_four_fields_and_enough_chance() -> None:
    prefix, key_id, secret, crc = new_key_text().split("_")
    assert (prefix, len(key_id), len(secret), len(crc)) == ("dk", 10, 22, 8)
    assert 62 ** len(secret) > 2**128


def test_no_two_keys_are_alike() -> None:
    keys = {new_key_text() for _ in range(1000)}
    assert len(keys) == 1000
    assert len({key.split("_")[1] for key in keys}) == 1000


def test_a_key_parses_to_its_id_and_digest() -> None:
    key = new_key_text()
    parsed = parse_key(key)
    assert parsed is not None
    assert parsed[0] == key.split("_")[1]
    assert len(parsed[1]) == 64
    assert parse_key(key) == parsed
    assert parse_key(new_key_text()) != parsed


@given(st.integers(0, 45), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_key_with_one_wrong_character_is_no_key(position: int, character: str) -> None:
    key = new_key_text()
    position %= len(key)
    if key[position] != character:
        assert parse_key(key[:position] + character + key[position + 1 :]) is None


@given(st.text())
def test_any_other_text_is_no_key(text: str) -> None:
    assert parse_key(text) is None
    assert parse_key(new_key_text() + text[:1]) is None or not text


def test_digests_are_compared_whole() -> None:
    assert same_digest("ab" * 32, "ab" * 32)
    assert not same_digest("ab" * 32, "ab" * 31 + "ac")
