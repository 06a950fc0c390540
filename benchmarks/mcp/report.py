"""The figures as Markdown for people and as JSON for the plot or a comparison."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.mcp.cases import CALL, LABELS, LIST, TWO_REQUESTS
from benchmarks.mcp.measure import Row, Run, Sample, median_of
from benchmarks.mcp.wire import LEGACY, MODERN

MICRO, MILLI = 1e6, 1e3
WORKER_PART = 5
"""Of the Worker's CPU time for tools/call, a fifth is aimed at."""
ROUTES = 2
"""Times the CPU time of a bare route are aimed at for tools/list."""
GET_ME_MICROS = 3000.0
WORKER = frozenset({"worker", "worker-60"})


@dataclass(frozen=True, slots=True)
class Aim:
    """An aim, what was measured, and whether that is enough."""

    aim: str
    measured: str
    met: bool


def find(run: Run, group: str, server: str, revision: str = MODERN) -> Row | None:
    """Return a row; None if it was not measured."""
    for row in run.rows:
        case = row.case
        if (case.group, case.server, case.revision) == (group, server, revision):
            return row
    return None


def worker_of(run: Run, row: Row) -> Row | None:
    """Return the Worker's row for the same work, in the same revision or the next newer one."""
    same = [other for other in run.rows if other.case.group == row.case.group]
    workers = [other for other in same if other.case.server in WORKER]
    newer = [other for other in workers if other.case.revision >= row.case.revision]
    return min(newer, key=lambda other: other.case.revision, default=None)


def aims(run: Run) -> Iterator[Aim]:
    """Yield the aims whose rows were measured."""
    for revision in (MODERN, *LEGACY):
        mine = find(run, CALL, "gateway", revision)
        worker = worker_of(run, mine) if mine else None
        if mine is None or worker is None:
            continue
        part = mine.median().cpu / worker.median().cpu
        aim = f"tools/call, {revision}: CPU at most a fifth of the Worker's, then a tenth"
        yield Aim(aim, f"{part:.2f} of the Worker's", part <= 1 / WORKER_PART)
        slow, theirs = mine.median().p99 * MILLI, worker.median().p99 * MILLI
        aim = f"tools/call, {revision}: p99 below the Worker's"
        yield Aim(aim, f"{slow:.0f} ms of {theirs:.0f} ms", slow < theirs)
    route, listed = find(run, CALL, "route"), find(run, LIST, "gateway")
    if route is not None and listed is not None:
        ratio = listed.median().cpu / route.median().cpu
        aim = "tools/list of 60 tools: CPU at most twice that of a bare Starlette route"
        yield Aim(aim, f"{ratio:.1f} ×", ratio <= ROUTES)
    me = find(run, TWO_REQUESTS, "gateway")
    if me is not None:
        used = me.median().cpu * MICRO
        aim = "get_me, two requests to Productive: at most 3,000 µs CPU"
        yield Aim(aim, f"{used:,.0f} µs", used <= GET_ME_MICROS)


def aim_micros(run: Run) -> dict[str, float]:
    """Return the most CPU time that a group's rows of ours are to take, in microseconds."""
    found = {TWO_REQUESTS: GET_ME_MICROS}
    worker, route = find(run, CALL, "worker"), find(run, CALL, "route")
    if worker is not None:
        found[CALL] = worker.median().cpu * MICRO / WORKER_PART
    if route is not None:
        found[LIST] = route.median().cpu * MICRO * ROUTES
    return found


def as_json(run: Run) -> dict[str, Any]:
    """Return all figures."""
    rows = []
    for row in run.rows:
        worker = worker_of(run, row)
        rows.append(
            {
                "group": row.case.group,
                "server": row.case.server,
                "label": row.case.label,
                "revision": row.case.revision,
                "answer_bytes": row.answer_bytes,
                "less_cpu_than_worker": _less(row, worker),
                "median": asdict(row.median()),
                "samples": [asdict(sample) for sample in row.samples],
            }
        )
    return {
        "rows": rows,
        "starts": {name: [asdict(one) for one in starts] for name, starts in run.starts.items()},
        "replicas": {str(count): asdict(found) for count, found in run.replicas.items()},
        "resident_mb_after": run.resident_mb,
        "load_averages": run.load_averages,
        "aim_micros": aim_micros(run),
        "aims": [asdict(aim) for aim in aims(run)],
    }


def markdown(run: Run) -> str:
    """Return the figures as text."""
    parts: list[str] = ["| aim | measured | met |", "|---|---|---|"]
    parts += [_cells(aim.aim, aim.measured, "yes" if aim.met else "no") for aim in aims(run)]
    parts += ["", *_rows(run)]
    if run.starts:
        parts += ["", *_starts(run)]
    if run.replicas:
        parts += ["", *_replicas(run)]
    average = statistics.median(run.load_averages)
    parts += ["", f"The load of the machine was {average:.1f} (median of the rounds).", ""]
    return "\n".join(parts)


def _rows(run: Run) -> Iterator[str]:
    yield _cells(
        "less CPU than the Worker", "request", "server", "revision", "CPU µs", "requests/s",
        "p50 ms", "p99 ms", "answer bytes",
    )  # fmt: skip
    yield "|--:|---|---|---|" + "--:|" * 5
    for row in sorted(run.rows, key=_order(run.rows)):
        less = _less(row, worker_of(run, row))
        mine = row.case.server == "gateway"
        label = f"**{row.case.label}**" if mine else row.case.label
        yield _cells(
            "" if less is None else f"{less:.1f} ×",
            row.case.group,
            label,
            row.case.revision,
            *_figures(row.median()),
            f"{row.answer_bytes:,}",
        )


def _order(rows: Sequence[Row]) -> Any:
    groups = list(dict.fromkeys(row.case.group for row in rows))
    return lambda row: (groups.index(row.case.group), row.median().cpu)


def _starts(run: Run) -> Iterator[str]:
    yield _cells(
        "server", "start to ready, CPU s", "start to ready, s", "first call, ms",
        "second call, ms", "MB at rest", "MB after all rounds",
    )  # fmt: skip
    yield "|---|" + "--:|" * 6
    for name, starts in run.starts.items():
        start = median_of(starts)
        yield _cells(
            LABELS[name],
            f"{start.ready_cpu:.2f}",
            f"{start.ready:.2f}",
            f"{start.first_call * MILLI:.0f}",
            f"{start.second_call * MILLI:.0f}",
            f"{start.resident_mb:.0f}",
            f"{run.resident_mb[name]:.0f}",
        )


def _replicas(run: Run) -> Iterator[str]:
    yield _cells("replicas under load", "CPU µs", "requests/s", "p50 ms", "p99 ms")
    yield "|--:|" + "--:|" * 4
    for count, found in run.replicas.items():
        yield _cells(str(count), *_figures(found))


def _figures(sample: Sample) -> tuple[str, ...]:
    return (
        f"{sample.cpu * MICRO:,.0f}",
        f"{sample.rate:,.0f}",
        f"{sample.p50 * MILLI:.1f}",
        f"{sample.p99 * MILLI:.0f}",
    )


def _less(row: Row, worker: Row | None) -> float | None:
    return None if worker is None else worker.median().cpu / row.median().cpu


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
