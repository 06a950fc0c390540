"""Rounds over all rows in random order, and starts of each server, in one run."""

from __future__ import annotations

import os
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import TypeVar

import httpx
from benchmarks.mcp import load
from benchmarks.mcp.cases import ADD, CALL, SUM, Case
from benchmarks.mcp.load import LoadFailed
from benchmarks.mcp.server import Server
from benchmarks.mcp.site import Site
from benchmarks.mcp.wire import MODERN, call, result_in

PATH = "/mcp"
WARM_UP_SECONDS = 3
REST_SECONDS = 1.0
"""After a start, before memory is read."""
STARTED = ("gateway", "sdk-stream", "fastmcp", "worker")


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one row; times in seconds."""

    cpu: float
    """Per request, of the server with its children."""
    rate: float
    p50: float
    p99: float


@dataclass(slots=True)
class Row:
    """All rounds of one row."""

    case: Case
    answer_bytes: int
    samples: list[Sample] = field(default_factory=list)

    def median(self) -> Sample:
        """Return the median of each figure over the rounds."""
        return median_of(self.samples)


@dataclass(frozen=True, slots=True)
class Start:
    """One start of one server; times in seconds."""

    ready: float
    """From the start of the process until its port accepts connections."""
    ready_cpu: float
    first_call: float
    """The first request to /mcp, of somebody who has signed in."""
    second_call: float
    resident_mb: float
    """A second later."""


_Figures = TypeVar("_Figures", Sample, Start)


def median_of(measured: Sequence[_Figures]) -> _Figures:
    """Return the median of each figure."""
    return type(measured[0])(*map(statistics.median, zip(*map(astuple, measured), strict=True)))


@dataclass(slots=True)
class Run:
    """Everything that was measured."""

    rows: list[Row]
    starts: dict[str, list[Start]]
    resident_mb: dict[str, float]
    """Of each server after all rounds."""
    load_averages: list[float]
    """Of the machine, before each round."""
    replicas: dict[int, Sample] = field(default_factory=dict)
    """Medians by the number of replicas; see `replicas`."""


def measure(
    site: Site, cases: Sequence[Case], *, rounds: int, seconds: int, starts: int, say: bool = True
) -> Run:
    """Measure all rows in rounds of random order, then the starts.

    Raises:
        LoadFailed: a server does not answer as expected.
    """
    servers = _servers(site, cases)
    run = Run([], {}, {}, [])
    for case in cases:
        server = servers[case.started_as]
        run.rows.append(Row(case, _checked(case, server)))
        _round(site, case, server, min(WARM_UP_SECONDS, seconds))
    chance = random.Random(1)
    for number in range(rounds):
        run.load_averages.append(os.getloadavg()[0])
        for row in chance.sample(run.rows, len(run.rows)):
            row.samples.append(_round(site, row.case, servers[row.case.started_as], seconds))
        if say:
            print(f"round {number + 1} of {rounds}, load {os.getloadavg()[0]:.1f}", flush=True)
    for name, server in servers.items():
        run.resident_mb[name] = server.resident_mb()
        server.program.kill()
    for name in STARTED:
        if name in servers:
            run.starts[name] = [_start(site, name) for _ in range(starts)]
    return run


def _servers(site: Site, cases: Sequence[Case]) -> Mapping[str, Server]:
    site.start_simulator()
    names = dict.fromkeys(["gateway", *(case.started_as for case in cases)])
    servers: dict[str, Server] = {}
    for name in names:
        servers[name] = site.start(name)
        if name == "gateway":
            site.write_definitions(servers[name])
    return servers


def _port(case: Case, server: Server) -> int:
    if case.server == case.started_as:
        return server.port
    assert server.direct_port is not None
    return server.direct_port


def _round(site: Site, case: Case, server: Server, seconds: int) -> Sample:
    tokens = [None] if case.refused else server.tokens
    requests = [case.message.to(server.host, PATH, token) for token in tokens]
    before = server.cpu_seconds()
    found = load.run(
        _port(case, server), requests, seconds=seconds, core=site.cores.others, folder=site.folder
    )
    used = server.cpu_seconds() - before
    expected = found.requests if case.refused else 0
    if found.broken or found.refused != expected:
        raise LoadFailed(
            f"{case.label}, {case.group}, {case.revision}: {found.broken} of {found.requests} "
            f"requests broke, {found.refused} answers were refusals"
        )
    return Sample(used / found.requests, found.rate, found.p50, found.p99)


def _checked(case: Case, server: Server) -> int:
    """Send the request once; return the size of the answer.

    Raises:
        LoadFailed: the answer is wrong.
    """
    answer = _send(case, server)
    if case.refused:
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            raise LoadFailed(f"{case.label} answers {answer.status_code} without a token")
        return len(answer.content)
    try:
        result = result_in(answer.headers["content-type"], answer.text)
    except ValueError as error:
        raise LoadFailed(f"{case.label}, {case.group}, {case.revision}: {error}") from error
    if case.group == CALL and result["structuredContent"]["sum"] != SUM:
        raise LoadFailed(f"{case.label} cannot add: {answer.text[:300]}")
    return len(answer.content)


def _send(case: Case, server: Server) -> httpx.Response:
    headers = {"Host": server.host, **case.message.headers}
    if not case.refused:
        headers["Authorization"] = f"Bearer {server.tokens[0]}"
    url = f"http://127.0.0.1:{_port(case, server)}{PATH}"
    return httpx.post(url, content=case.message.body, headers=headers, trust_env=False, timeout=30)


def _start(site: Site, name: str) -> Start:
    server = site.start(name)
    case = Case(CALL, name, MODERN, call("add", MODERN, **ADD))
    taken = []
    for _ in range(2):
        begun = time.monotonic()
        _checked(case, server)
        taken.append(time.monotonic() - begun)
    time.sleep(REST_SECONDS)  # noqa: TID251  # nothing else runs in this process
    start = Start(
        ready=server.ready_seconds,
        ready_cpu=server.ready_cpu_seconds,
        first_call=taken[0],
        second_call=taken[1],
        resident_mb=server.resident_mb(),
    )
    server.program.kill()
    return start
