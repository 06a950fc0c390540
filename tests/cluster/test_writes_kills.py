"""Time that is logged through gateways which are killed (SIGKILL), two at a time, or repeat.

The client gets no answer and repeats the call, at the other replica, as clients do. Each thing is
there once in the end, however the first call ended: before or after each write of the ledger,
before or after Productive carried it out.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal

import httpx
import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.faults import Seen, Trap
from harness.grantrequests import proxies
from harness.plane import Plane
from harness.processes import eventually
from harness.signin import Visitor, new_person
from productive_contract.names import LEDGER_TYPE

VICTIM, SURVIVOR = 0, 1
ARRIVES = 20.0
LEASE = 60.0
"""Seconds after which a call that was left open is decided: its lease, and time for the answer."""
Moment = Literal["unsent", "committed"]


@dataclass
class Person:
    """A person with a client, who logs time."""

    site: Deployment
    token: str

    def log(self, note: str, replica: int | None = None) -> dict[str, Any]:
        """Log an hour with this note and return the tool's answer.

        Args:
            note: tells the entries of different calls apart.
            replica: where the call goes; None lets the ingress choose.

        Raises:
            httpx.HTTPError: there is no answer.
        """
        port = self.site.port if replica is None else self.site.ports[replica]
        entry = {"service": "16880011", "hours": 1, "date": "2026-11-20", "note": note}
        arguments = {"entries": [entry]}
        answer = httpx.post(
            f"http://127.0.0.1:{port}/mcp",
            json={
                "jsonrpc": "2.0",
                "id": 1,
                "method": "tools/call",
                "params": {"name": "log_time", "arguments": arguments},
            },
            headers={
                "Accept": "application/json, text/event-stream",
                "Authorization": f"Bearer {self.token}",
                "Host": f"localhost:{self.site.port}",
            },
            timeout=60,
            trust_env=False,
        )
        answer.raise_for_status()
        lines = [one for one in answer.text.splitlines() if one.startswith("data: {")]
        document = json.loads(lines[-1].removeprefix("data: ")) if lines else answer.json()
        result: dict[str, Any] = document["result"]
        return result

    def is_logged(self, note: str, replica: int) -> bool:
        """Repeat the call; report whether it says that the entry is there."""
        (result,) = self.log(note, replica)["structuredContent"].get("results", [{}])
        return bool(result.get("ok") or result.get("duplicate_of"))


@pytest.fixture(scope="module")
def site(plane: Plane) -> Iterator[Deployment]:
    plan = Plan(proxied=True)
    with closing(Cluster(plane)) as cluster, Deployment(cluster, plan).running() as running:
        yield running


@pytest.fixture
def person(site: Deployment) -> Iterator[Person]:
    with Visitor(site) as visitor:
        tokens = visitor.tokens(visitor.register(), new_person(site))
        yield Person(site, tokens["access_token"])


def entries(site: Deployment) -> Counter[str]:
    """Return how many entries there are of each note, at Productive itself."""
    answer = httpx.get(f"{site.simulator_url}/__simulator/time_entries", trust_env=False)
    return Counter(one["note"] for one in answer.json())


def put_fault(site: Deployment, **fault: Any) -> None:
    """Let the next creation of a time entry fail."""
    order = [{"method": "POST", "path": "/time_entries", **fault}]
    url = f"{site.simulator_url}/__simulator/faults"
    httpx.put(url, json=order, trust_env=False).raise_for_status()


def faults_left(site: Deployment) -> Any:
    return httpx.get(f"{site.simulator_url}/__simulator/faults", trust_env=False).json()


def writes_the_ledger(number: int) -> Any:
    """Return what is true of the write of a ledger with this number, from 0."""
    count = itertools.count()

    def fits(seen: Seen) -> bool:
        writes = seen.method in {"POST", "PUT"} and LEDGER_TYPE.encode() in seen.body
        return writes and next(count) == number

    return fits


def killed_at_the_ledger(person: Person, note: str, write: int, moment: Moment) -> None:
    trap = Trap("before" if moment == "unsent" else "after")
    rule = proxies(person.site)[VICTIM].rule(writes_the_ledger(write), trap)
    with ThreadPoolExecutor(1) as thread:
        answering = thread.submit(person.log, note, VICTIM)
        try:
            transcript = proxies(person.site)[VICTIM].transcript
            assert trap.reached.wait(ARRIVES), transcript()
            person.site.gateways[VICTIM].kill()
        finally:
            rule.remove()
        assert isinstance(answering.exception(), httpx.HTTPError)


def killed_at_productive(person: Person, note: str, *, applied: bool) -> None:
    put_fault(person.site, hang=True, applied=applied)
    with ThreadPoolExecutor(1) as thread:
        answering = thread.submit(person.log, note, VICTIM)
        eventually(lambda: not faults_left(person.site), seconds=ARRIVES, what="it is sent")
        if applied:
            there = lambda: entries(person.site)[note] == 1  # noqa: E731
            eventually(there, seconds=ARRIVES, what="it is carried out")
        person.site.gateways[VICTIM].kill()
        assert isinstance(answering.exception(), httpx.HTTPError)


def killed_after_the_answer(person: Person, note: str) -> None:
    assert not person.log(note, VICTIM).get("isError")
    person.site.gateways[VICTIM].kill()


def test_time_is_logged_once_whenever_a_gateway_is_killed(site: Deployment, person: Person) -> None:
    person.log("first", SURVIVOR)  # so that each call replaces a ledger that is there
    kills = {
        "claim unsent": lambda note: killed_at_the_ledger(person, note, 0, "unsent"),
        "claim committed": lambda note: killed_at_the_ledger(person, note, 0, "committed"),
        "sent": lambda note: killed_at_productive(person, note, applied=False),
        "carried out": lambda note: killed_at_productive(person, note, applied=True),
        "result unsent": lambda note: killed_at_the_ledger(person, note, 1, "unsent"),
        "result committed": lambda note: killed_at_the_ledger(person, note, 1, "committed"),
        "answered": lambda note: killed_after_the_answer(person, note),
    }
    for note, kill in kills.items():
        kill(note)
        site.restart_gateway(VICTIM)
    there = {"carried out", "result unsent", "result committed", "answered"}
    assert entries(site) & Counter(list(kills)) == Counter(there)

    def repeated(note: str) -> None:
        """Repeat the call at both replicas until it says that the entry is there."""
        replicas = itertools.cycle((SURVIVOR, VICTIM))
        logged = lambda: person.is_logged(note, next(replicas))  # noqa: E731
        eventually(logged, seconds=LEASE, what=f"{note} is logged")

    with ThreadPoolExecutor(len(kills)) as threads:
        list(threads.map(repeated, kills))
    found = entries(site)
    assert {note: found[note] for note in kills} == dict.fromkeys(kills, 1)


def test_calls_at_both_replicas_at_once_log_once(site: Deployment, person: Person) -> None:
    put_fault(site, delay=2)
    with ThreadPoolExecutor(6) as threads:
        replicas = (VICTIM, SURVIVOR) * 3
        done = list(threads.map(lambda replica: person.is_logged("at once", replica), replicas))
    assert done == [True] * 6
    assert entries(site)["at once"] == 1


@pytest.mark.parametrize("applied", [True, False])
def test_lost_answer_is_found_out_at_the_other_replica(
    site: Deployment, person: Person, applied: bool
) -> None:
    note = f"lost {applied}"
    put_fault(site, status=502, applied=applied)
    first = person.log(note, VICTIM)
    if not first.get("isError"):
        assert entries(site)[note] == 1
    logged = lambda: person.is_logged(note, SURVIVOR)  # noqa: E731
    eventually(logged, seconds=LEASE, what="it is logged")
    assert entries(site)[note] == 1
