"""The figures as Markdown tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from statistics import median
from typing import Any

from benchmarks.grants.lookups import Listing
from benchmarks.grants.refreshes import Refreshes
from benchmarks.grants.requests import Requests
from benchmarks.grants.scenario import Result

MB = 1_000_000
READY_SECONDS, MEMORY_MB, BYTES_EACH = 5.0, 200, 1024
"""What a gateway may take with 20,000 grants, and for each."""


def markdown(results: Sequence[Result]) -> str:
    """Return a table of the starts and look-ups, one of the listings and one of the refreshes."""
    return "\n\n".join(
        [
            _table(_START_HEAD, (_start_row(one) for one in results)),
            _table(_LISTING_HEAD, (row for one in results for row in _listing_rows(one))),
            _table(_REFRESH_HEAD, (row for one in results for row in _refresh_rows(one))),
        ]
    )


def requests_table(requests: Requests) -> str:
    """Return what each thing asks of the API server."""
    verbs = ("create", "update", "delete", "read")
    rows = ((name, *(str(counted[verb]) for verb in verbs)) for name, counted in requests.items())
    return _table(("what", *verbs), rows)


def as_json(results: Sequence[Result], requests: Requests) -> dict[str, Any]:
    return {
        "requests": {name: dict(counted) for name, counted in requests.items()},
        "results": [_plain(one) for one in results],
    }


_START_HEAD = (
    "grants",
    "people",
    "ready s",
    "all known s",
    "gateway CPU s",
    "API server CPU s",
    "MB",
    "peak MB",
    "bytes a grant",
    "of them index",
    "look-up \N{MICRO SIGN}s",
    "new token \N{MICRO SIGN}s",
    "same token \N{MICRO SIGN}s",
)
_LISTING_HEAD = (
    "grants",
    "read as",
    "s",
    "gateway CPU s",
    "API server CPU s",
    "gateway + MB",
    "API server + MB",
)
_REFRESH_HEAD = (
    "grants",
    "replicas",
    "refreshes",
    "per s",
    "gateway CPU ms",
    "reads each",
    "writes each",
    "conflicts",
    "refused",
)


def _start_row(one: Result) -> tuple[str, ...]:
    starts, lookups = one.starts, one.lookups
    return (
        f"{one.grants:,}",
        f"{one.people:,}",
        f"{median(s.ready_seconds for s in starts):.1f}",
        f"{median(s.known_seconds for s in starts):.1f}",
        f"{median(s.cpu_seconds for s in starts):.1f} ({one.empty.cpu_seconds:.1f} empty)",
        f"{median(s.server_cpu_seconds for s in starts):.1f}",
        f"{median(s.resident_bytes for s in starts) / MB:.0f}",
        f"{max(s.peak_bytes for s in starts) / MB:.0f}",
        f"{one.resident_each:.0f}",
        f"{lookups.bytes_each:.0f}",
        *(f"{1e6 * each:.1f}" for each in (lookups.find, lookups.first, lookups.again)),
    )


def _listing_rows(one: Result) -> Iterator[tuple[str, ...]]:
    for name, listings in one.listings.items():
        yield (f"{one.grants:,}", name, *_medians(listings))


def _medians(listings: Sequence[Listing]) -> Iterator[str]:
    yield f"{median(x.seconds for x in listings):.2f}"
    yield f"{median(x.cpu_seconds for x in listings):.2f}"
    yield f"{median(x.server_cpu_seconds for x in listings):.2f}"
    yield f"{max(x.bytes for x in listings) / MB:.0f}"
    yield f"{max(x.server_bytes for x in listings) / MB:.0f}"


def _refresh_rows(one: Result) -> Iterator[tuple[str, ...]]:
    for kind, measured in (("own", one.own), ("one token everywhere", one.shared)):
        for refreshes in measured:
            yield (f"{one.grants:,}", str(refreshes.replicas), kind, *_refresh_cells(refreshes))


def _refresh_cells(found: Refreshes) -> Iterator[str]:
    reads = sum(n for (verb, _), n in found.requests.items() if verb == "get")
    writes = sum(n for (verb, _), n in found.requests.items() if verb == "replace")
    yield f"{found.count / found.seconds:.0f}"
    yield f"{1000 * found.cpu_seconds / found.count:.1f}"
    yield f"{reads / found.count:.2f}"
    yield f"{writes / found.count:.2f}"
    yield str(found.conflicts)
    yield str(found.refused.total())


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(value: Any) -> Any:
    """Return a value as JSON allows it."""
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, dict):
        return {
            " ".join(key) if isinstance(key, tuple) else key: _plain(each)
            for key, each in value.items()
        }
    return [_plain(each) for each in value] if isinstance(value, list) else value
