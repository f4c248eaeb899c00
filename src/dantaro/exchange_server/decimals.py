"""Numbers as exchanges write them: plain decimals with at least eight places, exactly readable back."""

import numpy as np


def decimal_text(value: float) -> str:
    """The decimal of a finite binary64 that reads back to the same value, padded to eight places.

    `60685.22` gives `60685.22000000`; where eight places do not suffice there are more, never an
    exponent.
    """
    text = f"{value:.8f}"
    if float(text) == value:
        return text
    return np.format_float_positional(value, unique=True, min_digits=8)
