"""What can go wrong with a request to the Kubernetes API.

ApiError
 ├─ NotFound     404
 ├─ Conflict     409: the object is not the one that was read
 ├─ Forbidden    403: a right is missing, or admission refused
 ├─ Refused      another 4xx: the object cannot be written like that
 └─ Unreachable  no usable answer: network, timeout, 401, 410, 429, 5xx; the same may work later

The texts name request and status, never a body: an object here may be a Secret.
"""

from __future__ import annotations

from typing import Final

_MAX_RETRY_AFTER: Final = 60.0


class NoCluster(Exception):
    """There is neither a service account nor a usable kubeconfig; `str()` says what to do."""


class ApiError(Exception):
    """The API server did not do what was asked.

    Attributes:
        retry_after: seconds the server asked us to wait, 0 if it did not.
    """

    def __init__(self, request: str, status: int, *, retry_after: str | None = None) -> None:
        super().__init__(f"{request}: {status or 'no answer'}")
        self.status = status
        self.retry_after = _seconds(retry_after)


class NotFound(ApiError):
    """There is no such object."""


class Conflict(ApiError):
    """The object is not the one that was read: other resourceVersion, other uid."""


class Forbidden(ApiError):
    """A right is missing, or admission refused."""


class Refused(ApiError):
    """The object cannot be written like that."""


class Unreachable(ApiError):
    """No usable answer; whether a write took place is not known."""


def of_status(status: int) -> type[ApiError]:
    """Return the kind of error of an HTTP status of 400 or above."""
    match status:
        case 404:
            return NotFound
        case 409:
            return Conflict
        case 403:
            return Forbidden
        case 401 | 408 | 410 | 429:
            # 401: a rotated service account token that is not re-read yet. 410: a list took so long
            # that its next page is gone; a new one has to begin.
            return Unreachable
        case _:
            return Unreachable if status >= 500 else Refused


def _seconds(header: str | None) -> float:
    try:
        return min(max(float(header or 0), 0.0), _MAX_RETRY_AFTER)
    except ValueError:
        return 0.0
