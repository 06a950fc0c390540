"""Measures one state: what is taken away, and how long each replica goes on serving it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from benchmarks.revocation.probe import Probe
from benchmarks.revocation.states import (
    GATEWAY,
    OPERATOR,
    State,
    wait_for_recovery,
    wait_for_window,
)
from benchmarks.revocation.subjects import GRANT, PERSON, Act, Subject, sign_in

from harness.deployment import Deployment
from harness.processes import eventually, pause
from harness.signin import Visitor

AWAY_SECONDS: Final = 8.0
"""After so long a time of nothing but 503 a probe counts as refused."""
AFTER_SECONDS: Final = 90.0
"""How long a refusal may take after the state has ended."""

Thing = Literal["person", "grant"]


@dataclass(slots=True)
class Samples:
    """What was measured of one thing in one state; seconds from taking it away."""

    served: list[float] = field(default_factory=list)
    """Until the slowest replica served it for the last time."""
    after: list[float] = field(default_factory=list)
    """Seconds from the end of the state, where it was served until then."""
    answers: Counter[str] = field(default_factory=Counter)
    """The answers in place of serving, each with the number of replicas that gave it."""


Result = dict[Thing, Samples]


def measure(deployment: Deployment, state: State, runs: int, result: Result) -> None:
    """Measure a state several times in one deployment."""
    with Visitor(deployment) as visitor:
        client = visitor.register()
        for number in range(runs):
            acts: list[tuple[Thing, Act]] = [("person", act) for act in PERSON.values()]
            if state.grants:
                acts += [("grant", act) for act in GRANT.values()]
            taken = [(t, act, sign_in(deployment, visitor, client)) for t, act in acts]
            _wait_for_phase(deployment, state, number, runs)
            _one_run(deployment, state, taken, result)
            wait_for_recovery(deployment)


def _wait_for_phase(deployment: Deployment, state: State, number: int, runs: int) -> None:
    """Begin runs at different points of a window, half of them by one watch, half by another."""
    program, watches = (GATEWAY, ("-mapping", "-grants/secrets"))
    if not state.grants:
        program, watches = (OPERATOR, ("productiveusers", "-users/secrets"))
    wait_for_window(deployment, program, watches[number % 2], (number // 2) / max(1, runs // 2))


def _one_run(
    deployment: Deployment, state: State, taken: list[tuple[Thing, Act, Subject]], result: Result
) -> None:
    host = deployment.url.removeprefix("http://")
    probes: list[tuple[Thing, int, list[Probe]]] = []
    for number, (thing, _, subject) in enumerate(taken):
        own = [Probe(port, host, subject.access_token) for port in deployment.ports]
        probes.append((thing, number, own))
    every = [probe for _, _, own in probes for probe in own]
    for probe in every:
        probe.start()
    # Both replicas know each person and grant before anything happens.
    eventually(lambda: all(probe.answers[200] for probe in every), what="served everywhere")
    sent: Mapping[int, float]
    try:
        with state.enter(deployment):
            sent = {number: act(deployment, who) for number, (_, act, who) in enumerate(taken)}
            deadline = time.monotonic() + state.seconds
            while time.monotonic() < deadline:
                if all(probe.is_over(AWAY_SECONDS) for probe in every):
                    break
                pause(0.1)
            over = {id(probe) for probe in every if probe.is_over(AWAY_SECONDS)}
        ended = time.monotonic()
        eventually(
            lambda: all(probe.refused is not None for probe in every),
            seconds=AFTER_SECONDS,
            what=f"refused after the end of: {state.name}",
        )
    finally:
        for probe in every:
            probe.stop()
    for thing, number, own in probes:
        samples = result[thing]
        if all(id(probe) in over for probe in own):
            samples.served.append(_since(sent[number], own))
        else:
            samples.after.append(_since(ended, own))
        for probe in own:
            samples.answers.update(str(code) for code in (503,) if probe.answers[code])
            samples.answers.update([str(probe.refused)])


def _since(moment: float, probes: list[Probe]) -> float:
    """Return the seconds from then to the last time that any of them was served."""
    return max(0.0, *(probe.last_served - moment for probe in probes))
