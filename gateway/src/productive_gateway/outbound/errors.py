"""Why a guarded fetch returned nothing."""

from __future__ import annotations


class FetchError(Exception):
    """Nothing was fetched; `reason` is a slug for logs and metrics."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class FetchRefused(FetchError):
    """The host, or what it answers, breaks a rule: trying again soon does not help."""


class FetchFailed(FetchError):
    """The host cannot be reached, or fails: trying again later may help."""
