"""Whether clocks agree: tokens, codes and sign-ins expire by them."""

from __future__ import annotations

from typing import Final

from productive_operator.doctor.result import Result, not_checked, ok, warning, wrong

WITH_CLUSTER: Final = "clock of this machine"
WITH_PROVIDER: Final = "clock of the provider"
NOTICED: Final = 30.0
TOO_FAR: Final = 60.0
"""Seconds: the gateway allows for 60 in ID tokens, and for 30 in its own."""
_SYNCHRONIZE: Final = "Synchronize the clocks (NTP) of this machine and of the cluster's nodes."
_ASK: Final = (
    "Synchronize the clocks of the cluster's nodes (NTP), or ask the administrator of the "
    "provider: ID tokens seem to come from the future or to have expired."
)


def judge_clocks(cluster: float | None, provider: float | None) -> list[Result]:
    """Judge how far the others' clocks are ahead of ours, in seconds; None is not known.

    The cluster's clock is what counts, so the provider's is compared with that.
    """
    results = [_judge(WITH_CLUSTER, "the API server's", cluster, _SYNCHRONIZE)]
    between = None if cluster is None or provider is None else provider - cluster
    return [*results, _judge(WITH_PROVIDER, "the API server's", between, _ASK)]


def _judge(title: str, other: str, ahead: float | None, remedy: str) -> Result:
    if ahead is None:
        return not_checked(title, "an answer with a Date")
    words = f"{abs(ahead):.0f} s from {other}"
    if abs(ahead) > TOO_FAR:
        return wrong(title, words, remedy)
    if abs(ahead) > NOTICED:
        return warning(title, words, remedy)
    return ok(title, f"within {NOTICED:.0f} s of {other}")
