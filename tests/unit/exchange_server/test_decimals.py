import re

from hypothesis import given
from hypothesis import strategies as st

from dantaro.exchange_server.decimals import decimal_text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_reads_back_to_itself_from_a_plain_decimal(value: float) -> None:
    text = decimal_text(value)
    assert float(text) == value
    assert re.fullmatch(r"-?\d+\.\d{8,}", text)


def test_prices_look_as_an_exchange_writes_them() -> None:
    assert decimal_text(60685.22) == "60685.22000000"
    assert decimal_text(0.00001234) == "0.00001234"
    assert decimal_text(1e-9) == "0.000000001"
    assert decimal_text(0.1 + 0.2) == "0.30000000000000004"
