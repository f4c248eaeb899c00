"""API keys in memory: a request is checked without the database.

A background task replaces the records every second, so a revoked key stops working within two. While
the database is away the last known keys stay valid, but for those that expire meanwhile.
"""

import hashlib
from collections.abc import Iterable

from dantaro.clock import real_now_ms
from dantaro.errors import Forbidden, StorageUnavailable, Unauthorized
from dantaro.storage.keys import KeyRecord, Scope, parse_key, same_digest

_MAX_HEADER_BYTES = 512
_MAX_SEEN = 10_000


class KeyRing:
    """The keys that are valid now."""

    def __init__(self) -> None:
        self._records: dict[str, KeyRecord] | None = None
        # SHA-256 of a whole Authorization header -> the record it was found to name. It spares the
        # parsing and keeps no secret; an attacker cannot steer a digest, so a plain look-up is safe.
        self._seen: dict[bytes, KeyRecord] = {}

    @property
    def is_loaded(self) -> bool:
        """Whether the keys have been read from the database once."""
        return self._records is not None

    def replace(self, records: Iterable[KeyRecord]) -> None:
        """Know exactly these keys from now on."""
        by_id = {record.id: record for record in records}
        if by_id != self._records:
            self._records = by_id
            self._seen = {}

    def authenticate(self, authorization: bytes | None) -> KeyRecord:
        """The key that the header `Authorization` carries.

        Raises:
            Unauthorized: there is none, or not a valid one.
            StorageUnavailable: the keys have not been read from the database yet.
        """
        if authorization is None:
            raise Unauthorized("an API key is needed: send `Authorization: Bearer dk_...`")
        if self._records is None:
            raise StorageUnavailable("the API keys have not been read from the database yet")
        fingerprint = hashlib.sha256(authorization).digest()
        record = self._seen.get(fingerprint)
        if record is None:
            record = self._check(authorization, self._records)
            if len(self._seen) >= _MAX_SEEN:
                self._seen.clear()
            self._seen[fingerprint] = record
        if not record.is_active(real_ms=real_now_ms()):
            raise Unauthorized("this API key has expired or was revoked")
        return record

    def _check(self, authorization: bytes, records: dict[str, KeyRecord]) -> KeyRecord:
        scheme, _, text = authorization[:_MAX_HEADER_BYTES].partition(b" ")
        if scheme.lower() != b"bearer":
            raise Unauthorized("the API key is sent as `Authorization: Bearer dk_...`")
        parsed = parse_key(text.strip().decode("ascii", "replace"))
        if parsed is None:
            raise Unauthorized("this is not an API key: it is mistyped or cut off")
        key_id, digest = parsed
        record = records.get(key_id)
        if record is None or not same_digest(record.sha256, digest):
            raise Unauthorized("this API key is not known, or it was revoked")
        if record.url_token:
            raise Unauthorized("this key is for URLs of named paths only, not for this header")
        return record


def require_scope(record: KeyRecord, scope: Scope) -> None:
    """Check that a key has `scope`; `admin` includes every other.

    Raises:
        Forbidden: it has not.
    """
    if scope not in record.scopes and Scope.ADMIN not in record.scopes:
        raise Forbidden(f"this needs a key with the scope {scope.value}")
