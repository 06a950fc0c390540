"""Signing keys; the newest one signs."""

from __future__ import annotations

from typing import Any, Final

from joserfc.jwk import RSAKey

KEY_BITS: Final = 2048


class SigningKeys:
    """A list of RSA keys, newest first."""

    def __init__(self) -> None:
        self._count = 0
        self._keys: list[RSAKey] = []
        self.rotate()

    @property
    def current(self) -> RSAKey:
        """Return the key that signs."""
        return self._keys[0]

    def rotate(self, *, keep: bool = True) -> str:
        """Add a key that signs from now on and return its id; drop the others unless `keep`."""
        self._count += 1
        key = rsa_key(f"k{self._count}")
        self._keys = [key, *(self._keys if keep else ())]
        return str(key.kid)

    def public(self) -> list[dict[str, Any]]:
        """Return the public halves, as a JWKS lists them."""
        return [dict(key.as_dict(private=False)) for key in self._keys]


def rsa_key(kid: str) -> RSAKey:
    """Return a new key for RS256 signatures."""
    return RSAKey.generate_key(KEY_BITS, {"kid": kid, "use": "sig", "alg": "RS256"})
