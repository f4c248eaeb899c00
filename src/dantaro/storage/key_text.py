"""The text of an API key, `dk_<id>_<secret>_<crc>`, and what may be known of it without the store.

The secret is 22 characters of 62 (131 bits). The CRC-32 tells a mistyped key from a revoked one and
lets scanners recognise a leaked one; it protects nothing.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib

_ALPHABET = string.ascii_letters + string.digits
_ID_LENGTH = 10
_SECRET_LENGTH = 22
_SHAPE = re.compile(
    rf"dk_([0-9A-Za-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}_([0-9a-f]{{8}})", re.ASCII
)


def new_key_text() -> str:
    """A new key; its secret is shown once and never stored."""
    body = f"dk_{_random(_ID_LENGTH)}_{_random(_SECRET_LENGTH)}"
    return f"{body}_{_crc(body)}"


def parse_key(text: str) -> tuple[str, str] | None:
    """The id and the SHA-256 (hex) of a key, or None when its shape or CRC is not a key's."""
    match = _SHAPE.fullmatch(text)
    if match is None or _crc(text.rpartition("_")[0]) != match[2]:
        return None
    return match[1], hashlib.sha256(text.encode()).hexdigest()


def same_digest(one: str, other: str) -> bool:
    """Whether two digests are equal, in a time that does not depend on where they differ."""
    return hmac.compare_digest(one, other)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _crc(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
