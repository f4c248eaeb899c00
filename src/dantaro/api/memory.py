"""Keeping the serving process small."""

import ctypes


def give_back_memory() -> None:
    """Return freed memory to the system, where the C library can (glibc on Linux).

    Decoding a generation takes several times what it leaves, and glibc keeps the difference: measured
    with 400 markets, 6 MB after four generations.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
