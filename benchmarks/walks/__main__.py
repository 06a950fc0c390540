"""Counts the files of the product that three requests or events pass through, while they run.

From the top of the repository, after `make programs` (`make walks` does both):

    PYTHONPATH=tests .venv/bin/python -m benchmarks.walks

The product runs as it is installed: operator and gateway are processes on a real Kubernetes API
server, with the development sign-in and the simulator of Productive. A file counts if one of its
functions ran for the walk. Imports do not count, nor does what a program does at the same time for
another reason.
"""

from __future__ import annotations

import argparse
import base64
import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.walks.modules import module_counts
from benchmarks.walks.traced import Traced, traced

from harness.build import programs
from harness.cluster import Cluster
from harness.kube import secrets_path
from harness.plane import running_plane
from harness.signin import Registered, Visitor, new_person

ROUNDS = 5
"""Repetitions of a walk through background tasks.

A file that is missing in one of them belongs to something else that ran at the same time.
"""

Files = frozenset[str]


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.walks")
    parser.add_argument("--json", type=Path, help="write all figures and file lists here")
    parsed = parser.parse_args()
    with (
        running_plane(programs()) as plane,
        closing(Cluster(plane)) as cluster,
        traced(cluster) as product,
    ):
        walks = dict(_walks(product))
    modules = dict(module_counts())
    for name, files in walks.items():
        print(f"\n{name}: {len(files)} files", *sorted(files), sep="\n  ")
    _print_table(("walk", "files", "by package"), [_row(*walk) for walk in walks.items()])
    _print_table(("package", "modules"), [(name, str(count)) for name, count in modules.items()])
    if parsed.json is not None:
        found = {"walks": {name: sorted(files) for name, files in walks.items()}}
        parsed.json.write_text(json.dumps(found | {"modules": modules}, indent=1) + "\n")


def _walks(product: Traced) -> Iterator[tuple[str, Files]]:
    deployment = product.deployment
    email = new_person(deployment)
    with Visitor(deployment) as visitor:
        client = visitor.register()
        # The gateway has seen neither the provider nor the person yet: nothing is cached.
        sign_in, token = _sign_in(product, visitor, client, email)
        # The first call also checks whose Productive token it is; measure a later one.
        _call(product, visitor, token, "get_me")
        yield "bearer → answer (tools/list)", _list(product, visitor, token)
        yield "bearer → answer (tools/call get_me)", _call(product, visitor, token, "get_me")
        yield "event → mapping (operator)", _each_time(lambda: _publish(product))
        yield "mapping → memory (gateway)", _each_time(lambda: _load(product))
        yield "authorize → grant → token", sign_in


def _sign_in(
    product: Traced, visitor: Visitor, client: Registered, email: str
) -> tuple[Files, str]:
    """Go from GET /authorize to an access token."""
    with product.recording(product.deployment.gateways[0]) as files:
        tokens = visitor.tokens(client, email)
    return files.requests, tokens["access_token"]


def _list(product: Traced, visitor: Visitor, token: str) -> Files:
    with product.recording(product.deployment.gateways[0]) as files:
        answer = visitor.call(token)
        assert "get_me" in answer.text, answer.text
    return files.requests


def _call(product: Traced, visitor: Visitor, token: str, tool: str) -> Files:
    with product.recording(product.deployment.gateways[0]) as files:
        answer = visitor.call(token, "tools/call", name=tool, arguments={})
        assert '"isError":true' not in answer.text.replace(" ", ""), answer.text
        assert "northlight" in answer.text.lower(), answer.text
    return files.requests


def _publish(product: Traced) -> Files:
    """Create a ProductiveUser and wait for its condition, which is written after publishing."""
    with product.recording(product.deployment.operator) as files:
        new_person(product.deployment)
    return files.requests | files.background


def _load(product: Traced) -> Files:
    """Change the mapping while the operator is paused, and wait until the gateway uses it."""
    deployment = product.deployment
    names, kube = deployment.cluster.names, deployment.cluster.kube
    deployment.operator.signal(signal.SIGSTOP)
    document = deployment.people.published()
    document["revision"] += 1
    changed = base64.b64encode(json.dumps(document).encode()).decode()
    with product.recording(deployment.gateways[0]) as files:
        path = secrets_path(names.release, names.mapping)
        kube.merge(path, {"data": {"users.json": changed}})
        deployment.people.arrive()
    deployment.operator.signal(signal.SIGCONT)
    return files.background


def _each_time(walk: Callable[[], Files]) -> Files:
    return frozenset.intersection(*(walk() for _ in range(ROUNDS)))


def _row(walk: str, files: Files) -> tuple[str, ...]:
    packages = Counter(file.partition("/")[0].removeprefix("productive_") for file in files)
    counts = ", ".join(f"{name} {count}" for name, count in packages.most_common())
    return (walk, str(len(files)), counts)


def _print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    print()
    for row in (head, rule, *rows):
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
