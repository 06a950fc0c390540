"""Faults of the operator, and of what people it is told about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from harness.faults import Answer
from harness.runningfaults.site import Site


@contextmanager
def no_operator(site: Site) -> Iterator[None]:
    site.running.operator.kill()
    yield
    site.running.operator.restart()


@contextmanager
def passes_that_fail(site: Site) -> Iterator[None]:
    """The operator can neither read nor write the mapping, but its watch of it works."""
    mapping = site.secret(site.names.mapping)
    requests = site.running.proxies["operator"].rule(
        lambda seen: seen.path == mapping, Answer(500), times=None
    )
    yield
    requests.remove()


@contextmanager
def a_watch_of_the_operator_that_fails(site: Site) -> Iterator[None]:
    proxy = site.running.proxies["operator"]
    watches = proxy.rule(
        lambda seen: seen.watch and seen.resource == "productiveusers", Answer(500), times=None
    )
    proxy.cut()
    yield
    watches.remove()


@contextmanager
def statuses_that_are_forbidden(site: Site) -> Iterator[None]:
    statuses = site.running.proxies["operator"].rule(
        lambda seen: seen.resource == "productiveusers/status",
        Answer(403, "Forbidden"),
        times=None,
    )
    yield
    statuses.remove()


@contextmanager
def a_person_without_a_token(site: Site) -> Iterator[None]:
    site.running.people.add("nobody", email="nobody@northlight.example", user_id=1, token=None)
    yield
    site.running.people.remove("nobody")
