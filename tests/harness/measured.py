"""What was counted while something ran."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from productive_gateway.observability.metrics import REGISTRY

Labels = tuple[tuple[str, str], ...]
"""Those that are not empty, by name."""


@contextmanager
def counted(sample: str) -> Iterator[dict[Labels, float]]:
    """Yield a dictionary that has, in the end, by how much each series of a sample grew."""
    before = _read(sample)
    grown: dict[Labels, float] = {}
    yield grown
    for labels, value in _read(sample).items():
        if value != before.get(labels, 0.0):
            grown[labels] = value - before.get(labels, 0.0)


def _read(sample: str) -> dict[Labels, float]:
    return {
        tuple((name, value) for name, value in sorted(one.labels.items()) if value): one.value
        for metric in REGISTRY.collect()
        for one in metric.samples
        if one.name == sample
    }
