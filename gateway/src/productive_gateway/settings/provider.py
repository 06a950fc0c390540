"""The sign-in provider, from either form of its settings.

`OIDC_ISSUER` is the general form: the endpoints are discovered. The five `ACCESS_*` variables are
the Worker's form. They name no issuer, so it is derived, and `iss` is checked in that form too.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

OIDC: Final = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")
ACCESS: Final = (
    "ACCESS_CLIENT_ID",
    "ACCESS_CLIENT_SECRET",
    "ACCESS_AUTHORIZATION_URL",
    "ACCESS_TOKEN_URL",
    "ACCESS_JWKS_URL",
)


def missing_of_provider(given: Collection[str]) -> list[str]:
    """Return what is wrong with a provider that is not set, half set, or set twice."""
    oidc = [name for name in OIDC if name in given]
    access = [name for name in ACCESS if name in given]
    if oidc and access:
        both = f"{_and(access)} and {_and(oidc)}"
        return [f"{both} are two sign-in providers: keep one form and remove the other."]
    if not oidc and not access:
        return [f"No sign-in provider is set: set {_and(OIDC)}."]
    wanted = OIDC if oidc else ACCESS
    return [
        f"{name} is missing: set it as the provider shows it for this application."
        for name in wanted
        if name not in given
    ]


def derived_issuer(authorization_url: str, token_url: str, jwks_url: str) -> str:
    """Return the issuer: what the three endpoints share, each without its last segment.

    Raises:
        ValueError: they do not share one.
    """
    issuers = {
        url.rstrip("/").rpartition("/")[0] for url in (authorization_url, token_url, jwks_url)
    }
    if len(issuers) != 1 or not _has_path_or_host(min(issuers)):
        raise ValueError(
            "ACCESS_AUTHORIZATION_URL, ACCESS_TOKEN_URL and ACCESS_JWKS_URL must differ only in "
            "their last part (…/authorization, …/token, …/jwks), because the part before it is the "
            "issuer; copy them again, or set OIDC_ISSUER, OIDC_CLIENT_ID and OIDC_CLIENT_SECRET "
            "instead."
        )
    return issuers.pop()


def _has_path_or_host(issuer: str) -> bool:
    return bool(issuer.partition("://")[2])


def _and(names: Collection[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
