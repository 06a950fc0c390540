"""What the running replicas say about themselves, on their internal ports."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from productive_operator.doctor.fetching import Answer, NoAnswer, Web
from productive_operator.doctor.installation import DEFAULT_PORT, INSTANCE, PROGRAMS, Installation
from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.result import Result, not_checked, ok, warning, wrong

PROPAGATION: Final = "propagation"
KEYS_IN_USE: Final = "keys in use"
PROPAGATION_SECONDS: Final = 15.0
"""Within which a publication reaches every replica, also over a half-open connection."""
OLD_PASS: Final = 900.0
"""Seconds after which a success of the operator is too old, as in the chart's alerts."""
_MAPPING: Final = re.compile(r"^productive_mcp_mapping_revision (\S+)$", re.MULTILINE)
_KEY: Final = re.compile(
    r'^productive_mcp_key_loaded\{current="true",kid="(\w+)"\} 1', re.MULTILINE
)
_PASS: Final = re.compile(
    r"^productive_operator_last_success_timestamp_seconds (\S+)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Replica:
    """One pod, and what it answered."""

    program: str
    namespace: str
    name: str
    checks: Mapping[str, str] | None = None
    """Of /readyz; None if it could not be asked."""
    ready: bool = False
    metrics: str = field(default="", repr=False)

    def number(self, pattern: re.Pattern[str]) -> float | None:
        """Return the value of a metric; None if it has none."""
        found = pattern.search(self.metrics)
        return None if found is None else float(found[1])


async def read_replicas(
    reader: ClusterReader, web: Web, installation: Installation
) -> list[Replica]:
    """Ask every pod that runs, through the API server or directly.

    Raises:
        NotReadable: we may not list pods, or there are none.
        ApiError: the API server gave no usable answer.
    """
    namespace, release = installation.namespace, installation.release
    query = [("labelSelector", f"{INSTANCE}={release}")]
    pods = await reader.items(
        f"/api/v1/namespaces/{namespace}/pods", f"list pods in {namespace}", query=query
    )
    running = [one for one in pods if (one.get("status") or {}).get("phase") == "Running"]
    found = []
    async with reader.client.new_session() as own:
        tunnel = Web(own, web.now)
        for pod in sorted(running, key=lambda one: str(one["metadata"]["name"])):
            program = (pod["metadata"].get("labels") or {}).get("app.kubernetes.io/component")
            if program in PROGRAMS:
                found.append(await _ask(program, pod, reader.client.server, tunnel, web))
    return found


async def read_own(web: Web, port: int) -> list[Replica]:
    """Ask the operator in our own pod; there is none if nothing answers."""
    base = f"http://127.0.0.1:{port}"
    one = await _answers(Replica("operator", "", "this pod"), base, web)
    return [] if one.checks is None else [one]


async def _ask(
    program: str,
    pod: Mapping[str, Any],
    server: str,
    tunnel: Web,
    web: Web,
) -> Replica:
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    port, address = _internal_port(pod), (pod.get("status") or {}).get("podIP")
    proxied = f"{server.rstrip('/')}/api/v1/namespaces/{namespace}/pods/http:{name}:{port}/proxy"
    silent = Replica(program, namespace, name)
    found = await _answers(silent, proxied, tunnel)
    if found.checks is None and address:
        host = f"[{address}]" if ":" in address else address
        found = await _answers(silent, f"http://{host}:{port}", web)
    return found


async def _answers(silent: Replica, base: str, web: Web) -> Replica:
    """Return the replica with what it answers; as it is if it does not."""
    try:
        readiness = await web.get(f"{base}/readyz")
        checks = readiness.document().get("checks")
        if not isinstance(checks, dict):
            return silent
        metrics = await web.get(f"{base}/metrics")
    except NoAnswer:
        return silent
    return replace(
        silent,
        checks={str(key): str(value) for key, value in checks.items()},
        ready=_is_ready(readiness),
        metrics=metrics.body.decode(errors="replace"),
    )


def _is_ready(answer: Answer) -> bool:
    return answer.document().get("ready") is True


def _internal_port(pod: Mapping[str, Any]) -> int:
    for container in pod["spec"].get("containers") or ():
        for port in container.get("ports") or ():
            if port.get("name") == "internal":
                return int(port["containerPort"])
    return DEFAULT_PORT


def judge_replicas(program: str, replicas: Sequence[Replica], now: float) -> Result:
    """Judge the state of a program's replicas, watches included.

    Args:
        program: operator or gateway.
        replicas: those of all programs.
        now: Unix seconds by the API server's clock.
    """
    title = f"replicas of the {program}"
    ours = [one for one in replicas if one.program == program]
    asked = [one for one in ours if one.checks is not None]
    if not ours:
        return wrong(title, "none is running", "Look at kubectl get pods and kubectl describe pod.")
    if not asked:
        return not_checked(title, _reach(program))
    logs = f"Look at the log: kubectl logs -n {asked[0].namespace} {asked[0].name}."
    if late := _late(asked, now):
        return wrong(title, late, logs)
    problems = [
        f"{one.name}: {name} is {state}" if " " not in state else f"{one.name}: {name}: {state}"
        for one in asked
        for name, state in (one.checks or {}).items()
        if state != "ok"
    ]
    unready = [one.name for one in asked if not one.ready]
    if unready:
        said = "; ".join(problems) or "they do not say why"
        return wrong(title, f"not ready: {', '.join(unready)} ({said})", logs)
    if problems:
        return warning(
            title,
            "; ".join(problems),
            "A stale watch reports changes late. If what is published is broken, the last good "
            f"one is used. {logs}",
        )
    silent = len(ours) - len(asked)
    extra = f"; {silent} could not be asked" if silent else ""
    return ok(title, f"{len(asked)} ready, all watches fresh{extra}")


def judge_propagation(revision: int | None, replicas: Sequence[Replica], now: float) -> Result:
    """Judge whether every replica of the gateway has the published mapping.

    Args:
        revision: of the published mapping; None if it cannot be read.
        replicas: those of all programs.
        now: Unix seconds by the API server's clock.
    """
    loaded = {
        one.name: one.number(_MAPPING)
        for one in replicas
        if one.program == "gateway" and one.metrics
    }
    if revision is None:
        return not_checked(PROPAGATION, "a mapping that can be read")
    if not loaded:
        return not_checked(PROPAGATION, _reach("gateway"))
    behind = [name for name, value in loaded.items() if value != revision]
    if not behind:
        return ok(PROPAGATION, f"revision {revision} is in use at all {len(loaded)} replicas")
    words = f"revision {revision} is not in use at {', '.join(behind)}"
    if now - revision / 1000 <= PROPAGATION_SECONDS:
        return ok(PROPAGATION, f"{words} yet: it is {now - revision / 1000:.0f} s old")
    return wrong(
        PROPAGATION,
        words,
        "Check that the gateway may watch the mapping (rights above) and reach the API server; a "
        "restart of these pods loads it: kubectl rollout restart.",
    )


def judge_keys_in_use(current: str | None, replicas: Sequence[Replica]) -> Result:
    """Judge whether every replica of the gateway seals with the current key."""
    found = {
        one.name: _KEY.search(one.metrics)
        for one in replicas
        if one.program == "gateway" and one.metrics
    }
    if current is None:
        return not_checked(KEYS_IN_USE, "a key ring that can be read")
    if not found:
        return not_checked(KEYS_IN_USE, _reach("gateway"))
    behind = [name for name, key in found.items() if key is None or key[1] != current]
    if not behind:
        return ok(KEYS_IN_USE, f"{current} at all {len(found)} replicas")
    return wrong(
        KEYS_IN_USE,
        f"{', '.join(behind)} do not use the current key {current}",
        "Check that the gateway may watch the key ring (rights above), and look at its log.",
    )


def _late(replicas: Sequence[Replica], now: float) -> str | None:
    for one in replicas:
        success = one.number(_PASS)
        if success is not None and success > 0 and now - success > OLD_PASS:
            return f"{one.name}: no pass has succeeded for {(now - success) / 60:.0f} minutes"
    return None


def _reach(program: str) -> str:
    return (
        f"a way to the internal port of the {program}: the right to get pods/proxy, and a network "
        "policy that allows it (networkPolicy.metricsFrom)"
    )
