"""Decides from the settings in which of two modes to run locally.

The demonstration has invented people, an IdP that asks for no password and a simulated Productive.
The Worker's local mode has a real provider, real people and the real Productive. A mixture would
let anyone act with a real token, or send invented tokens to the real API, so it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from productive_dev.sockets import is_loopback
from productive_gateway.settings.provider import ACCESS, OIDC

PEOPLE: Final = "USER_MAPPING"
API: Final = "PRODUCTIVE_API_BASE_URL"
ORGANIZATION: Final = "PRODUCTIVE_ORG_ID"


class MixtureError(Exception):
    """The settings describe only half of a real setup; `str()` names what is missing."""


class Mode(Enum):
    """The modes in which everything runs on one machine."""

    DEMONSTRATION = auto()
    """Nothing is real."""
    WORKER = auto()
    """Everything is real, as in the local mode of the Cloudflare Worker."""


def read_settings(environ: Mapping[str, str], file: Path) -> dict[str, str]:
    """Return the settings of a .env file and the environment, which wins; empty ones are unset."""
    settings = {**dotenv_values(file), **environ} if file.is_file() else dict(environ)
    return {name: value for name, value in settings.items() if value}


def choose(settings: Mapping[str, str]) -> Mode:
    """Return the mode.

    Raises:
        MixtureError: a real setup is incomplete, or a part of it is local.
    """
    provider = [name for name in (*ACCESS, *OIDC) if name in settings]
    if not provider:
        _refuse_real_parts(settings)
        return Mode.DEMONSTRATION
    needed = ACCESS if provider[0] in ACCESS else OIDC
    missing = [name for name in (*needed, PEOPLE, ORGANIZATION) if name not in settings]
    if missing:
        raise MixtureError(
            f"{provider[0]} is set for a real sign-in, but {_list(missing)} "
            f"{'is' if len(missing) == 1 else 'are'} missing. Set {_them(missing)} in .env, or "
            f"remove {_list(provider)} to run the demonstration with invented people."
        )
    _refuse_local_parts(settings)
    return Mode.WORKER


def _refuse_real_parts(settings: Mapping[str, str]) -> None:
    real = [name for name in (PEOPLE, API, ORGANIZATION) if name in settings]
    if real:
        raise MixtureError(
            f"{_list(real)} {'belongs' if len(real) == 1 else 'belong'} to a real setup, but no "
            f"identity provider is set, and the development one lets anybody in. Set "
            f"{_list(OIDC)} (or {_list(ACCESS)}) in .env, or remove {_list(real)} to run the "
            "demonstration with invented people."
        )


def _refuse_local_parts(settings: Mapping[str, str]) -> None:
    for name in ("OIDC_ISSUER", "ACCESS_TOKEN_URL", API):
        host = urlsplit(settings.get(name, "")).hostname
        if host and is_loopback(host):
            raise MixtureError(
                f"{name} points to this machine, while {PEOPLE} brings real people and tokens. "
                f"Set {name} to the real service, or remove the real settings from .env to run "
                "the demonstration with invented people."
            )


def _list(names: list[str] | tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _them(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
