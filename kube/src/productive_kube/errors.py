"""What can go wrong with a request to the Kubernetes API.

ApiError
 ├─ NotFound        404
 ├─ AlreadyExists   409: the name is taken
 ├─ Conflict        409: the resourceVersion, the uid or a precondition is not the object's
 ├─ Forbidden       403: a right is missing, or admission refused
 ├─ QuotaExceeded   403: the namespace is full
 ├─ Gone            410: the resourceVersion or continue token cannot be used; list again
 ├─ Refused         another 4xx: the object cannot be written like that
 └─ Unreachable     no usable answer: network, timeout, 401, 429, 5xx; a write may have happened

NoCluster is not one of them: it says that no API server is configured.

The texts name the request and the status, never a body: an object here may be a Secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

_MAX_RETRY_AFTER: Final = 60
_REASON: Final = re.compile(r"[A-Za-z]{1,64}")


class NoCluster(Exception):
    """There is neither a service account nor a usable kubeconfig; `str()` says what to do."""


class ApiError(Exception):
    """The API server did not do what was asked.

    Attributes:
        request: verb and path.
        status: HTTP status; 0 when there was no usable answer.
        reason: the machine-readable reason of the Status object, or a word of our own.
        retry_after: seconds that the server asked us to wait, if it did.
    """

    def __init__(
        self, request: str, *, status: int, reason: str = "", retry_after: int | None = None
    ) -> None:
        super().__init__(f"{request}: {status or 'no answer'} {reason}".rstrip())
        self.request = request
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFound(ApiError):
    """There is no such object."""


class AlreadyExists(ApiError):
    """The name is taken."""


class Conflict(ApiError):
    """The object is not the one that was read: other resourceVersion, other uid."""


class Forbidden(ApiError):
    """A right is missing, or admission refused."""


class QuotaExceeded(ApiError):
    """The namespace's ResourceQuota is used up.

    Attributes:
        limits: what the quota allows, by resource as the server names it (`count/secrets`); empty
            if the answer does not say.
    """

    limits: Mapping[str, int] = MappingProxyType({})


class Gone(ApiError):
    """The server does not have that version: it is too old, or from before a restore of etcd."""


class Refused(ApiError):
    """The object cannot be written like that."""


class Unreachable(ApiError):
    """There was no usable answer: whether a write took place is not known."""


def from_status(
    request: str, status: int, answer: Mapping[str, Any], retry_after: str | None = None
) -> ApiError:
    """Translate an answer of 400 or above, or the object of an ERROR event.

    Args:
        request: verb and path, for the text.
        status: HTTP status, or the `code` of the Status object.
        answer: the Status object, empty if the answer is none.
        retry_after: the header of that name.
    """
    reason, message = _text(answer, "reason"), _text(answer, "message")
    if not _REASON.fullmatch(reason):
        # Only words of the API's own get into logs.
        reason = ""
    wait = _retry_after(retry_after, answer)
    error = _class_of(status, reason, message)(
        request, status=status, reason=reason, retry_after=wait
    )
    if isinstance(error, QuotaExceeded):
        error.limits = _limits(message)
    return error


def _class_of(status: int, reason: str, message: str) -> type[ApiError]:
    match status:
        case 404:
            # Without a Status object nothing is said about the object asked for: to believe it
            # would end sign-ins. A proxy in between answers so, and the API server itself for the
            # path of a kind that it does not serve.
            return NotFound if reason == "NotFound" else Unreachable
        case 409:
            return AlreadyExists if reason == "AlreadyExists" else Conflict
        case 403:
            # The quota plugin has no reason of its own, only this message.
            return QuotaExceeded if "exceeded quota" in message else Forbidden
        case 410:
            return Gone
        case 401 | 408 | 429:
            # 401: a service account token that was just rotated, or a server that is still
            # starting. It says nothing about the object asked for.
            return Unreachable
        case _:
            return Unreachable if status >= 500 else Refused


def _limits(message: str) -> dict[str, int]:
    """Return the limits in the quota plugin's message: `…, limited: count/secrets=10k,pods=5`."""
    _, _, listed = message.partition("limited: ")
    found = re.findall(r"([\w./-]+)=(\d{1,12})(k?)(?=,|\s|$)", listed)
    return {name: int(number) * (1000 if kilo else 1) for name, number, kilo in found}


def _text(answer: Mapping[str, Any], field: str) -> str:
    value = answer.get(field)
    return value if isinstance(value, str) else ""


def _retry_after(header: str | None, answer: Mapping[str, Any]) -> int | None:
    details = answer.get("details")
    value = header or (details.get("retryAfterSeconds") if isinstance(details, dict) else None)
    try:
        return min(max(int(value), 0), _MAX_RETRY_AFTER) if value is not None else None
    except (TypeError, ValueError, OverflowError):
        return None
