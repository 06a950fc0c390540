"""The states of an installation in which something is taken away, each as a context manager."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

from harness.deployment import Deployment
from harness.faults import CutBefore, Fault, HalfOpen, Predicate, Seen
from harness.processes import eventually, pause
from harness.proxy import RecordingProxy
from harness.rights import RBAC

WINDOW_SECONDS: Final = 10.0
SETTLED_SECONDS: Final = 20.0
"""After which the pauses between attempts have reached their longest."""
GATEWAY: Final = "gateway-1"
"""The replica that the faults of "a gateway" apply to."""
OPERATOR: Final = "operator"

Enter = Callable[[Deployment], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class State:
    """One state; the table has one line for each."""

    name: str
    enter: Enter
    grants: bool = True
    """Whether a grant is measured, too: no fault of the operator touches one."""
    seconds: float = 40.0
    """How long to wait for the refusal before the state ends."""
    own_plane: bool = False
    """Whether it disturbs everything else on the control plane."""

    @property
    def is_long(self) -> bool:
        """Whether a run takes minutes, in which nothing happens."""
        return self.seconds > 100


@contextmanager
def _healthy(_: Deployment) -> Iterator[None]:
    yield


def _silent_watches(program: str) -> Enter:
    """Let watches of the program, old and new, be silent while everything else is answered."""

    def enter(deployment: Deployment) -> AbstractContextManager[object]:
        return _ruled(deployment.proxies[program], lambda seen: seen.watch, HalfOpen())

    return enter


def _half_open(*programs: str) -> Enter:
    """Let every connection that is open fall silent; new ones work."""

    @contextmanager
    def enter(deployment: Deployment) -> Iterator[None]:
        with ExitStack() as stack:
            for program in programs:
                proxy = deployment.proxies[program]
                stack.enter_context(_ruled(proxy, _over(proxy.connections()), HalfOpen()))
            yield

    return enter


def _no_new_connection(*programs: str) -> Enter:
    """Let no new connection come about, as when the name of the API server is not resolved."""

    @contextmanager
    def enter(deployment: Deployment) -> Iterator[None]:
        with ExitStack() as stack:
            for program in programs:
                proxy = deployment.proxies[program]
                known = _over(proxy.connections())
                stack.enter_context(_ruled(proxy, _not(known), CutBefore()))
            yield

    return enter


def _away(program: str) -> Enter:
    return lambda d: d.proxies[program].outage()


def _without(account: str, program: str, *verbs: str) -> Enter:
    """Take these verbs from the Roles of the account, and give them back at the end.

    A watch that is open goes on to the end of its window, so the state begins when the next one of
    each has been refused, and the pauses between attempts have grown.
    """

    @contextmanager
    def enter(deployment: Deployment) -> Iterator[None]:
        names, kube = deployment.cluster.names, deployment.cluster.kube
        # The operator keeps its right to the mapping: what it loses is the view of people.
        places = (names.users,) if account == "operator" else (names.release, names.grants)
        paths = [f"{RBAC}/{place}/roles/{account}" for place in places]
        before = [kube.get(path) for path in paths]
        for path, role in zip(paths, before, strict=True):
            rules = [
                {**rule, "verbs": [verb for verb in rule["verbs"] if verb not in verbs]}
                for rule in role["rules"]
            ]
            kube.replace(path, {**role, "rules": [rule for rule in rules if rule["verbs"]]})
        try:
            _wait_until_refused(deployment.proxies[program], places)
            pause(SETTLED_SECONDS)
            yield
        finally:
            for path, role in zip(paths, before, strict=True):
                kube.merge(path, {"rules": role["rules"]})

    return enter


def _wait_until_refused(proxy: RecordingProxy, places: tuple[str, ...]) -> None:
    begun = len(proxy.requests)

    def watches(seen: Seen) -> bool:
        return seen.watch and any(f"/namespaces/{place}/" in seen.path for place in places)

    watched = {_collection(seen) for seen in proxy.seen(watches)}

    def all_refused() -> bool:
        since = [seen for seen in proxy.seen(watches) if seen.number >= begun]
        return watched <= {_collection(seen) for seen in since if seen.status == 403}

    eventually(all_refused, seconds=30, what="every watch was refused")


def _collection(seen: Seen) -> tuple[str, str | None]:
    return seen.path, seen.name


@contextmanager
def _outside_unreachable(deployment: Deployment) -> Iterator[None]:
    """Let provider and Productive not answer: what is reached by name.

    In a cluster the API server is reached by its address, which the kubelet gives.
    """
    programs = [deployment.programs[name] for name in ("idp", "simulator")]
    for program in programs:
        program.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for program in programs:
            program.signal(signal.SIGCONT)


@contextmanager
def _restarted(deployment: Deployment) -> Iterator[None]:
    plane = deployment.cluster.plane
    plane.api_server.kill()
    plane.api_server.restart()
    plane.until_ready()
    yield


STATES: Final = (
    State("healthy", _healthy),
    State("watches of a gateway silent, all else answered", _silent_watches(GATEWAY)),
    State("watches of the operator silent, all else answered", _silent_watches(OPERATOR), False),
    State("connections of a gateway half-open", _half_open(GATEWAY)),
    State("connections of the operator half-open", _half_open(OPERATOR), False),
    State("connections of both half-open", _half_open(GATEWAY, OPERATOR)),
    State("API server restarted", _restarted, seconds=60, own_plane=True),
    State("DNS cut", _outside_unreachable),
    State("a gateway gets no new connection to the API server", _no_new_connection(GATEWAY)),
    State("gateways may not watch", _without("gateway", GATEWAY, "watch")),
    State("operator may not watch", _without("operator", OPERATOR, "watch"), False),
    State(
        "operator may not list or watch, for a minute",
        _without("operator", OPERATOR, "list", "watch"),
        False,
        seconds=60,
    ),
    State("API server away from the operator, for a minute", _away(OPERATOR), False, seconds=60),
    State(
        "gateways may not list or watch",
        _without("gateway", GATEWAY, "list", "watch"),
        seconds=340,
    ),
    State("API server away from a gateway", _away(GATEWAY), seconds=340),
)


def wait_for_window(deployment: Deployment, program: str, of: str, part: float) -> None:
    """Wait until a window of the watch of a Secret, or of a namespace's, is this far gone.

    Args:
        deployment: with proxies.
        program: whose watch.
        of: end of the name, or of the path, of what is watched.
        part: of a window, from 0 to 1.
    """
    proxy = deployment.proxies[program]
    begun = len(proxy.requests)

    def opened(seen: Seen) -> bool:
        named = (seen.name or "").endswith(of) or seen.path.endswith(of)
        return seen.watch and seen.status == 200 and named

    proxy.wait_for(opened, since=begun)
    pause(part * WINDOW_SECONDS)


def wait_for_recovery(deployment: Deployment) -> None:
    """Wait until watches of both programs work again."""
    for program in (GATEWAY, OPERATOR):
        proxy = deployment.proxies[program]
        begun = len(proxy.requests)
        proxy.wait_for(
            lambda seen: seen.watch and seen.status == 200, seconds=60, count=3, since=begun
        )
    eventually(lambda: len(set(deployment.revisions())) == 1, seconds=60, what="one mapping")


@contextmanager
def _ruled(proxy: RecordingProxy, predicate: Predicate, fault: Fault) -> Iterator[None]:
    rule = proxy.rule(predicate, fault, times=None)
    try:
        yield
    finally:
        rule.remove()


def _not(predicate: Predicate) -> Predicate:
    return lambda seen: not predicate(seen)


def _over(connections: frozenset[int]) -> Predicate:
    return lambda seen: seen.connection in connections
