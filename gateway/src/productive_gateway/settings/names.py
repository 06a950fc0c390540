"""Variables whose names are nearly those of settings.

A misspelt OIDC_REQUIRED_CLAIMS would let people in whom the setting was to keep out, so the gateway
does not start with one. All other variables of the environment are ignored.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from typing import Final

_SHORTEST: Final = 6
"""Characters. Shorter names (PORT) resemble too many names that mean something else."""
_LONG: Final = 8
_LIKENESS: Final = 0.885
"""difflib's ratio: one differing letter in ten, or two in twenty."""

PROXY_VARIABLES: Final = ("HTTPS_PROXY", "NO_PROXY")
_OTHER_PROXIES: Final = ("HTTP_PROXY", "ALL_PROXY", "FTP_PROXY")
"""Of other programs; nothing here goes through them."""
_OTHER_SIGNALS: Final = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT")
"""Of OpenTelemetry, for what the gateway does not send there. Its operator sets variables in pods
that it knows nothing of."""
_FAMILIAR: Final = frozenset(
    (
        *(
            spelling
            for name in (*PROXY_VARIABLES, *_OTHER_PROXIES)
            for spelling in (name, name.lower())
        ),
        *_OTHER_SIGNALS,
    )
)

# What the kubelet sets for each Service of the namespace, unless enableServiceLinks is false.
# https://kubernetes.io/docs/tutorials/services/connect-applications-service/#environment-variables
_SERVICE_LINK = re.compile(
    r"[A-Z0-9_]+_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?"
    r"|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)?)"
)
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes set this variable, for some Service.

    A Service called `internal` sets INTERNAL_PORT to an address, which is not a port.
    """
    if not _SERVICE_LINK.fullmatch(name):
        return False
    own_form = name.endswith("_PORT") and not name.endswith("_SERVICE_PORT")
    return not own_form or _SERVICE_ADDRESS.match(value) is not None


def near_misses(names: Iterable[str], known: Collection[str]) -> list[tuple[str, str]]:
    """Return each unknown name that was probably meant as a known one, with that one."""
    flat = {_flat(name): name for name in known if len(name) >= _SHORTEST}
    found = ((name, _meant(name, flat)) for name in sorted(set(names) - set(known) - _FAMILIAR))
    return [(name, meant) for name, meant in found if meant is not None]


def _meant(name: str, known: dict[str, str]) -> str | None:
    flat = _flat(name)
    if flat in known:
        return known[flat]
    for text, meant in known.items():
        # OIDC_CLIENT_SECRET_FILE: a habit of other programs.
        if len(text) >= _LONG and name.upper().startswith(f"{meant}_"):
            return meant
    close = difflib.get_close_matches(flat, known, n=1, cutoff=_LIKENESS)
    return known[close[0]] if close else None


def _flat(name: str) -> str:
    return name.upper().replace("_", "").replace("-", "")
