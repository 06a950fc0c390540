"""The operator killed before and after every request of a pass: what is published stays whole.

Each pass is first made undisturbed, through a proxy that lists its requests. Then it is begun
again for each of them, twice: killed (SIGKILL) while the proxy holds the request back, so that it
is never sent, and while the proxy holds the API server's answer, so that it is committed and
nobody knows.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx
import pytest

from harness.cluster import Cluster
from harness.faults import Seen, Trap
from harness.kube import secrets_path
from harness.operatorsite import OperatorSite, follow_mapping
from harness.processes import eventually, free_port
from harness.proxy import RecordingProxy
from productive_contract.mapping import Mapping, Person, decode
from productive_contract.names import TOKEN_TYPE
from productive_operator.resolve import people, resolve
from productive_operator.users import decode_secret, decode_user
from productive_operator.view import StoredMapping

WAIT_SECONDS = 20.0
MOMENTS: tuple[Literal["before", "after"], ...] = ("before", "after")

# Importing the operator takes a second, a hundred times here: it is done once, and each operator is
# a fork of what has it. From there on it is the program as it always runs.
FORKS = """
import json, os, signal, sys
from productive_operator import cli, logs, program
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os.environ.update(json.loads(line))
        cli.main(["run"])
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
"""

People = dict[str, Person]


@dataclass(frozen=True)
class Content:
    """What a run ends with, without what differs between runs: uids, times, revision."""

    people: People
    conditions: dict[str, dict[str, Any]]


FULL_LISTS = frozenset({"GET productiveusers", f"GET secrets type={TOKEN_TYPE}"})
_SPARE = f"GET secrets metadata.name=spare-productive,type={TOKEN_TYPE}"
PARTIAL_LISTS = frozenset(
    {
        "GET productiveusers metadata.name=bob",
        f"GET secrets metadata.name=bob-productive,type={TOKEN_TYPE}",
        _SPARE,
    }
)
"""Lists of a full pass, and of a partial one after a change of Bob."""

Way = tuple[Callable[[OperatorSite], object], ...]
"""Changes that are made one after the other."""

CHANGE: Way = (
    lambda site: site.change("ana", suspend=True),
    lambda site: site.change("bob", apiTokenSecretRef={"name": "spare-productive"}),
    lambda site: site.change("cleo", suspend=False, userId=9105),
    lambda site: site.remove("dan"),
)
CHANGE_BACK: Way = (
    lambda site: site.change("ana", suspend=False),
    lambda site: site.change("bob", apiTokenSecretRef={"name": "bob-productive"}),
    lambda site: site.change("cleo", suspend=True, userId=9104),
    lambda site: site.add("dan", token=None),
)


class Operators:
    """Operators one after the other, in front of one proxy."""

    def __init__(self, site: OperatorSite, proxy: RecordingProxy) -> None:
        self._site = site
        self._proxy = proxy
        self._port = free_port()
        self._log = (site.cluster.folder / "operators.log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-c", FORKS],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        self._pid = 0
        self._since = 0

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        self._log.close()

    def start(self) -> None:
        self._since = len(self._proxy.requests)
        environment = {
            "KUBECONFIG": str(self._site.cluster.kubeconfig("operator", proxy=self._proxy)),
            "USERS_NAMESPACE": self._site.names.users,
            "MAPPING_SECRET": self._site.names.mapping,
            "INTERNAL_PORT": str(self._port),
            "LOG_LEVEL": "ERROR",
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(environment) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._line())

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        # An operator's own lines stand between: it has the same stdout.
        while self._line() != "gone":
            pass

    def signal(self, number: signal.Signals) -> None:
        os.kill(self._pid, number)

    def until_at_rest(self) -> None:
        """Wait until a good pass has ended and every watch is up."""
        since = self._since
        self.until_passed()
        watching = lambda seen: seen.watch and seen.status == httpx.codes.OK  # noqa: E731
        self._proxy.wait_for(watching, WAIT_SECONDS, count=3, since=since)

    def until_passed(self) -> None:
        """Wait for the end of a good pass of the operator that runs."""
        eventually(lambda: self.passes() >= 1, seconds=WAIT_SECONDS, what="a pass ends")

    def passes(self) -> float:
        """Return how many passes of the operator that runs were good."""
        with contextlib.suppress(httpx.TransportError):
            text = httpx.get(f"http://127.0.0.1:{self._port}/metrics", trust_env=False).text
            sample = 'productive_operator_passes_total{result="ok"} '
            for line in text.splitlines():
                if line.startswith(sample):
                    return float(line.removeprefix(sample))
        return 0.0

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the operators' parent ended; see operators.log"
        return line.strip()


@dataclass
class Matrix:
    """One site, its operators, and what was ever published there."""

    site: OperatorSite
    proxy: RecordingProxy
    operators: Operators
    history: list[StoredMapping | None]

    def steps_of(self, make: Callable[[], object]) -> list[str]:
        """Return the requests that the operator itself makes while `make` is done."""
        since = len(self.proxy.requests)
        make()
        seen = [_step(r) for r in self.proxy.requests[since:] if _counts(r)]
        return list(dict.fromkeys(seen))

    def kill_at(
        self, step: str, moment: Literal["before", "after"], begin: Callable[[], None]
    ) -> None:
        """Begin something, and kill the operator at the first request that is this step."""
        trap = Trap(moment)
        rule = self.proxy.rule(lambda seen: _counts(seen) and _step(seen) == step, trap)
        begin()
        assert trap.reached.wait(WAIT_SECONDS), f"no {step}; seen:\n{self.proxy.transcript()}"
        self.operators.kill()
        rule.remove()
        (hit,) = rule.hits
        assert (hit.upstream_status is None) == (moment == "before")

    def content(self) -> Content:
        """Return what is there now."""
        mapping = self.site.mapping()
        assert mapping is not None
        conditions: dict[str, dict[str, Any]] = {}
        for body in self.site.kube.items(self.site.path()):
            name, uid = body["metadata"]["name"], body["metadata"]["uid"]
            assert mapping.people[body["spec"]["email"]].uid == uid
            for condition in body["status"]["conditions"]:
                assert condition.pop("observedGeneration") == body["metadata"]["generation"]
                del condition["lastTransitionTime"]
                conditions[f"{name} {condition['type']}"] = condition
        return Content(_without_uids(mapping), conditions)

    def view(self) -> People:
        """Return who must be published, by what is stored now."""
        users = [decode_user(body) for body in self.site.kube.items(self.site.path())]
        stored = self.site.kube.items(secrets_path(self.site.names.users))
        tokens = [decode_secret(body) for body in stored if body["type"] == TOKEN_TYPE]
        return _without_uids(Mapping(0, people(resolve(users, tokens))))

    def people(self) -> People | None:
        """Return who is published; None if nothing is."""
        mapping = self.site.mapping()
        return None if mapping is None else _without_uids(mapping)

    def published_since(self, begun: int) -> list[People]:
        """Return all that was published since that entry of the history, up to now."""
        live = self.site.kube.get(self.site.mapping_path)["metadata"]["resourceVersion"]

        def told() -> bool:
            last = self.history[-1] if self.history else None
            return last is not None and last.resource_version == live

        eventually(told, what="the history is complete")
        published = [stored for stored in self.history[begun:] if stored and stored.data]
        return [_without_uids(decode(stored.data)) for stored in published]


@pytest.fixture
async def matrix(cluster: Cluster) -> AsyncIterator[Matrix]:
    """A site whose mapping is recorded as it changes, by somebody who is never disturbed."""
    site = OperatorSite(cluster)
    site.set_token("spare", token="token-of-spare")
    proxy = cluster.proxy()
    with contextlib.closing(Operators(site, proxy)) as operators:
        async with _recorded(site) as history:
            yield Matrix(site, proxy, operators, history)


@pytest.mark.attack("M-13")
async def test_a_first_pass_may_be_killed_at_any_request(matrix: Matrix) -> None:
    def all_of_it() -> None:
        steps, whole = _undisturbed_first_pass(matrix)
        for step in steps:
            for moment in MOMENTS:
                _forget(matrix)
                begun = len(matrix.history)
                matrix.kill_at(step, moment, matrix.operators.start)
                now = matrix.people()
                assert now in (None, whole.people), f"{moment} {step}: a part was published"
                matrix.operators.start()
                matrix.operators.until_passed()
                matrix.operators.kill()
                assert matrix.content() == whole, f"{moment} {step}: it ended otherwise"
                assert matrix.published_since(begun) == [whole.people], f"{moment} {step}"

    _make_people(matrix.site)
    await asyncio.to_thread(all_of_it)


@pytest.mark.attack("M-13")
@pytest.mark.parametrize("full", [True, False], ids=["full", "partial"])
async def test_a_pass_over_changes_may_be_killed_at_any_request(
    matrix: Matrix, *, full: bool
) -> None:
    """One operator is killed at a request, the next one puts it right and is killed in turn."""
    site, operators = matrix.site, matrix.operators

    def all_of_it() -> None:
        operators.start()
        operators.until_at_rest()
        ways = (_way(CHANGE, full=full), _way(CHANGE_BACK, full=full))
        steps, ends = _undisturbed_changes(matrix, ways, full=full)
        kills = [[(step, moment) for step in found for moment in MOMENTS] for found in steps]
        for turn in range(2 * max(map(len, kills))):
            # The two ways take turns; the shorter list is begun again.
            which = turn % 2
            new = ends[which]
            step, moment = kills[which][turn // 2 % len(kills[which])]
            if not full:
                _until_partial(matrix)
            begun, views = len(matrix.history), [ends[1 - which].people]
            matrix.kill_at(step, moment, lambda: views.extend(_at_once(matrix, ways[which])))  # noqa: B023
            now = matrix.people()
            assert now is not None
            assert _told_of_each(now, views), f"{moment} {step}: a part was published"
            operators.start()
            operators.until_passed()
            assert matrix.content() == new, f"{moment} {step}: it ended otherwise"
            published = matrix.published_since(begun)
            assert published[-1:] == [new.people], f"{moment} {step}"
            assert [found for found in published if not _told_of_each(found, views)] == []

    _make_people(site)
    await asyncio.to_thread(all_of_it)


def _told_of_each(found: People, views: Sequence[People]) -> bool:
    """Return whether the views say this of each person.

    A partial pass lists the names one by one. If a change falls between two of these lists, it has
    one person from before the change and another from after it, until the next event.
    """
    emails = {*found, *(email for view in views for email in view)}
    return all(any(found.get(one) == view.get(one) for view in views) for one in emails)


def _make_people(site: OperatorSite) -> None:
    """Make one of each kind: fine, without a token, suspended, fine and soon gone."""
    site.add("ana")
    site.add("bob", token=None)
    site.add("cleo", suspend=True)
    site.add("dan")


def _undisturbed_first_pass(matrix: Matrix) -> tuple[list[str], Content]:
    def run() -> None:
        matrix.operators.start()
        matrix.operators.until_passed()
        matrix.operators.kill()

    steps = matrix.steps_of(run)
    whole = matrix.content()
    _assert_every_kind(matrix, steps, FULL_LISTS)
    _forget(matrix)
    again = matrix.steps_of(run)
    assert matrix.content() == whole
    # What begins as the pass ends is not in every run.
    return sorted(set(steps) & set(again)), whole


def _undisturbed_changes(
    matrix: Matrix, ways: tuple[Way, Way], *, full: bool
) -> tuple[list[list[str]], list[Content]]:
    """Return the requests of each change, and what it ends with; each is made twice."""
    steps: list[list[str]] = []
    ends: list[Content] = []
    for way in (*ways, *ways):
        if not full:
            _until_partial(matrix)
        steps.append(matrix.steps_of(lambda way=way: _settled(matrix, way)))  # type: ignore[misc]
        ends.append(matrix.content())
    assert ends[:2] == ends[2:]
    # A pass of the other kind may come in between, such as a resync, but not in every run.
    other = PARTIAL_LISTS if full else FULL_LISTS
    kept = [sorted({*steps[number], *steps[number + 2]} - other) for number in range(2)]
    if full:
        # A busy operator may have made two passes of it, one of them partial.
        kept = [[s for s in found if "metadata.name=" not in s] for found in kept]
    else:
        # One person stands for all: each further name would be listed in the same way.
        kept = [[s for s in found if "=" not in s or s in PARTIAL_LISTS] for found in kept]
    _assert_every_kind(matrix, kept[0] + kept[1], PARTIAL_LISTS if not full else FULL_LISTS)
    return kept, ends[:2]


def _way(way: Way, *, full: bool) -> Way:
    """Return a way that ends in a full pass: somebody else has written the mapping before it."""
    return (lambda site: _touch(site, site.mapping_path), *way) if full else way


def _touch(site: OperatorSite, path: str) -> None:
    """Change an object in a way that means nothing to anybody."""
    site.kube.merge(path, {"metadata": {"annotations": {"touched": uuid.uuid4().hex}}})


def _until_partial(matrix: Matrix) -> None:
    """Wait until changes are followed by a partial pass: Kopf's lists at the start are over."""
    matrix.operators.until_at_rest()
    spare = secrets_path(matrix.site.names.users, "spare-productive")

    def partial() -> bool:
        begun, passes = len(matrix.proxy.requests), matrix.operators.passes()
        _touch(matrix.site, spare)
        more = lambda: matrix.operators.passes() > passes  # noqa: E731
        eventually(more, seconds=WAIT_SECONDS, what="the next pass")
        steps = {_step(request) for request in matrix.proxy.requests[begun:] if _counts(request)}
        return _SPARE in steps and not steps & FULL_LISTS

    eventually(partial, seconds=WAIT_SECONDS, what="a partial pass")


def _assert_every_kind(matrix: Matrix, steps: list[str], lists: frozenset[str]) -> None:
    """Guard against a matrix that is empty because requests are no longer recognised."""
    mapping = matrix.site.names.mapping
    expected = {
        *lists,
        f"GET secrets {mapping}",
        f"PATCH secrets {mapping} productive-operator",
        *(f"PATCH productiveusers/status {n} productive-operator" for n in ("ana", "bob", "cleo")),
        "POST events bob",
    }
    assert expected <= set(steps), steps


def _forget(matrix: Matrix) -> None:
    """Put the site back to before any pass; nobody's uid changes."""
    matrix.site.kube.delete(matrix.site.mapping_path)
    for name in ("ana", "bob", "cleo", "dan"):
        nothing = {"status": {"observedGeneration": None, "conditions": None}}
        matrix.site.kube.merge(f"{matrix.site.path(name)}/status", nothing)


def _at_once(matrix: Matrix, way: Way) -> list[People]:
    """Change several people while the operator stands still, and return the view after each.

    So one pass sees all of it, unless one was under way: then its list may fall in between.
    """
    views: list[People] = []
    matrix.operators.signal(signal.SIGSTOP)
    for change in way:
        change(matrix.site)
        views.append(matrix.view())
    matrix.operators.signal(signal.SIGCONT)
    return views


def _settled(matrix: Matrix, way: Way) -> None:
    """Make a change and wait for the end of the pass that sees it."""
    passes = matrix.operators.passes()
    _at_once(matrix, way)

    def settled() -> bool:
        bodies = matrix.site.kube.items(matrix.site.path())
        judged = all(matrix.site.ready(body["metadata"]["name"]) for body in bodies)
        return judged and matrix.operators.passes() > passes

    eventually(settled, seconds=WAIT_SECONDS, what="everybody is judged")


def _without_uids(mapping: Mapping) -> People:
    return {email: replace(person, uid="") for email, person in mapping.people.items()}


def _counts(seen: Seen) -> bool:
    """Tell the operator's own requests from the streams, and from Kopf's.

    The table of other Secrets' types is not in every run: only while somebody's Secret is missing.
    """
    table = seen.query.get("includeObject") == "None"
    return seen.user_agent == "productive-operator" and not seen.watch and not table


def _step(seen: Seen) -> str:
    """Name a request so that it has the same name in every run."""
    words = [seen.method, seen.resource or seen.path]
    selector = seen.query.get("fieldSelector")
    manager = seen.query.get("fieldManager")
    subject = None if seen.method != "POST" else json.loads(seen.body)["involvedObject"]["name"]
    name = None if selector else seen.name
    return " ".join(word for word in [*words, name, selector, manager, subject] if word)


@asynccontextmanager
async def _recorded(site: OperatorSite) -> AsyncIterator[list[StoredMapping | None]]:
    history: list[StoredMapping | None] = []

    async def record() -> None:
        async with site.objects() as cluster:
            await follow_mapping(cluster, history.append)

    recorder = asyncio.create_task(record())
    try:
        yield history
    finally:
        recorder.cancel()
        await asyncio.gather(recorder, return_exceptions=True)
