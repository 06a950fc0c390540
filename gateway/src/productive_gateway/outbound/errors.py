"""Why a guarded fetch brought no document."""

from __future__ import annotations


class FetchError(Exception):
    """Nothing was fetched; `reason` is a slug for logs and metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FetchRefused(FetchError):
    """The host, or what it answers, breaks a rule: trying again soon is of no use."""


class FetchFailed(FetchError):
    """The host cannot be reached, or is not well: it may be soon."""
