"""Where a gateway can be killed: at each request that it makes about grants, seen in a first run.

A request is met at three moments: before it is sent, after the API server carried it out, and after
the gateway got the answer. After an answer the gateway does nothing but its next request or the
answer to its client, so that moment is the same as "before it is sent" of the next request.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import httpx

from harness.deployment import Deployment
from harness.faults import Seen, Trap
from harness.grantrequests import proxies
from harness.processes import eventually
from productive_contract.names import GRANT_TYPE, LEDGER_TYPE, SUBJECT_TYPE

VICTIM, OTHER = 0, 1
ARRIVES = 20.0
"""Seconds within which a request comes to the proxy."""

Moment = Literal["unsent", "committed", "answered"]
_VERBS = {"POST": "create", "PUT": "update", "DELETE": "delete", "GET": "get"}
_KINDS = {"g": "grant", "subject": "binding", "ledger": "ledger"}
_TYPES = {GRANT_TYPE: "grant", SUBJECT_TYPE: "binding", LEDGER_TYPE: "ledger"}


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a step, found again in another run of it by its order among its like."""

    verb: str
    kind: str
    number: int

    @property
    def writes(self) -> bool:
        return self.verb in {"create", "update", "delete"}

    def __str__(self) -> str:
        return f"{self.verb} {self.kind} {self.number}"


@dataclass(frozen=True, slots=True)
class Cell:
    """Where the gateway is killed."""

    call: Call
    moment: Moment
    written: tuple[Call, ...]
    """What was written by then."""

    def __str__(self) -> str:
        return f"{self.call}, {self.moment}"


def recorded(site: Deployment, step: Callable[[], object]) -> list[Call]:
    """Return the requests that the first gateway makes in this step."""
    proxy = proxies(site)[VICTIM]
    since = len(proxy.requests)
    site.ingress.pin(VICTIM)
    step()
    site.ingress.pin(None)
    found = [what for seen in proxy.requests[since:] if (what := _what(site, seen))]
    before: Counter[tuple[str, str]] = Counter()
    calls = []
    for verb, kind in found:
        calls.append(Call(verb, kind, before[verb, kind]))
        before[verb, kind] += 1
    return calls


def cells(calls: Sequence[Call], *, complete: bool) -> Iterator[Cell]:
    """Yield where to kill.

    Args:
        calls: the requests of the step.
        complete: whether to kill at each request, not only at the first of its kind.
    """
    written: tuple[Call, ...] = ()
    for call in calls:
        now = (*written, call) if call.writes else written
        if complete or call.number == 0:
            yield Cell(call, "unsent", written)
            yield Cell(call, "committed", now)
        written = now
    yield Cell(calls[-1], "answered", written)


def kill(
    site: Deployment, cell: Cell, request: Callable[[], httpx.Response | None]
) -> httpx.Response | None:
    """Kill the first gateway there and start it again; return the answer that it gave before.

    From then on the ingress knows the other gateway only.
    """
    site.refresh_mounts()
    site.ingress.pin(VICTIM)
    answer = None
    if cell.moment == "answered":
        answer = request()
        site.gateways[VICTIM].kill()
    else:
        _kill_inside(site, cell, request)
    site.ingress.pin(OTHER)
    site.gateways[VICTIM].restart()
    return answer


def until_watching(site: Deployment, number: int, *, since: int) -> None:
    """Wait until a gateway that was started again is ready and watches the grants."""
    site.until_ready(number)
    folder = f"/namespaces/{site.cluster.names.grants}/"
    proxies(site)[number].wait_for(lambda seen: seen.watch and folder in seen.path, since=since)


def _kill_inside(
    site: Deployment, cell: Cell, request: Callable[[], httpx.Response | None]
) -> None:
    proxy = proxies(site)[VICTIM]
    trap = Trap("before" if cell.moment == "unsent" else "after")
    rule = proxy.rule(_is(site, cell.call), trap)
    with ThreadPoolExecutor(1) as thread:
        answering = thread.submit(request)
        try:
            eventually(
                lambda: trap.reached.is_set() or answering.done(), seconds=ARRIVES, what=str(cell)
            )
            assert trap.reached.is_set(), f"no {cell.call}:\n{proxy.transcript()}"
            site.gateways[VICTIM].kill()
        finally:
            rule.remove()
        answer = answering.result()
    assert answer is None or answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR
    committed = [seen.upstream_status for seen in rule.hits] != [None]
    assert committed == (cell.moment == "committed")


def _is(site: Deployment, call: Call) -> Callable[[Seen], bool]:
    """Return what is true of that request alone; each request is shown to it once."""
    before = 0

    def fits(seen: Seen) -> bool:
        nonlocal before
        if _what(site, seen) != (call.verb, call.kind):
            return False
        before += 1
        return before == call.number + 1

    return fits


def _what(site: Deployment, seen: Seen) -> tuple[str, str] | None:
    """Return verb and kind of a request about grants, bindings or ledgers; None for others."""
    if seen.watch or f"/namespaces/{site.cluster.names.grants}/" not in seen.path:
        return None
    if seen.method == "POST":
        kinds = [kind for name, kind in _TYPES.items() if name.encode() in seen.body]
        return "create", kinds[0]
    name = (seen.name or "").partition("-")[0]
    if name in _KINDS:
        return _VERBS[seen.method], _KINDS[name]
    return "list", _TYPES[seen.query["fieldSelector"].removeprefix("type=")]
