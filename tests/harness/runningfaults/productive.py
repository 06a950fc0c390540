"""Faults of Productive, of people's tokens for it, and of the requests that it allows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from harness.runningfaults.actions import failing, find, with_token
from harness.runningfaults.site import PLENTY, Site

SMALL_BUDGET: Final = "100"
"""Requests in 30 minutes of which one person gets at most half, and many together all."""


@contextmanager
def productive_that_fails(site: Site) -> Iterator[None]:
    with asked_of_productive(site, {"status": 502}):
        yield


@contextmanager
def productive_that_limits(site: Site) -> Iterator[None]:
    with asked_of_productive(site, {"status": 429, "retry_after": 60}):
        yield


@contextmanager
def asked_of_productive(site: Site, fault: dict[str, Any]) -> Iterator[None]:
    """Let Productive answer all requests in this way, while many calls are made."""
    site.simulator("faults", [{"times": 100_000, **fault}])
    _, tokens = site.sign_in()
    with failing(lambda: find(site, tokens)):
        yield
    site.simulator("faults", [])


@contextmanager
def an_assistant_that_loops(site: Site) -> Iterator[None]:
    """One person uses as much of a small budget as is left for all others."""
    with a_small_budget(site):
        _, tokens = site.sign_in()
        with failing(lambda: find(site, tokens)):
            yield


@contextmanager
def people_who_use_up_the_budget(site: Site) -> Iterator[None]:
    people = [site.sign_in()[1] for _ in range(14)]
    turns = itertools.cycle(people)
    # Who works all the time would have used up their own part before all is used up.
    site.idle.set()
    with a_small_budget(site), failing(lambda: find(site, next(turns)), threads=2):
        yield
    site.idle.clear()


@contextmanager
def other_programs_that_use_up_the_budget(site: Site) -> Iterator[None]:
    """Productive refuses everybody of the organization, although the gateways sent little."""
    site.simulator("limits", {**PLENTY, "per_organization": 1})
    _, tokens = site.sign_in()
    with failing(lambda: find(site, tokens)):
        yield
    site.simulator("limits", PLENTY)
    for number in range(site.running.plan.replicas):
        site.running.restart_gateway(number)  # they would wait for up to half an hour


@contextmanager
def a_small_budget(site: Site) -> Iterator[None]:
    """One gateway may send few requests to Productive, and gets all calls."""
    small = {"PRODUCTIVE_REQUESTS_PER_30_MIN": SMALL_BUDGET}
    site.running.ingress.pin(0)
    site.running.restart_gateway(0, small)
    yield
    site.running.restart_gateway(0, {})
    site.running.ingress.pin(None)


@contextmanager
def productive_that_is_slow(site: Site) -> Iterator[None]:
    """Ten people make three calls each at a time: more would be refused."""
    people = [site.sign_in()[1] for _ in range(10)]
    turns = itertools.cycle(people)
    find(site, people[0])
    site.idle.set()
    site.simulator("faults", [{"times": 100_000, "delay": 11.0}])
    with failing(lambda: find(site, next(turns)), threads=30):
        yield
    site.simulator("faults", [])
    site.idle.clear()


def a_token_that_was_revoked(site: Site) -> None:
    find(site, with_token(site, "no-token-of-the-simulator"))


def a_token_of_somebody_else(site: Site) -> None:
    find(site, with_token(site, "simulator-manager"))
