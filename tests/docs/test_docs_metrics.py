"""The table of metrics in docs/observability.md is what the gateway exposes."""

from __future__ import annotations

import re
from pathlib import Path

from productive_gateway.observability.metrics import REGISTRY

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
ROW = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \| ((?:`\w+`(?:, `\w+`)*)?) ?\|", re.MULTILINE)
OF_PYTHON = ("process_", "python_gc_")
"""Those of prometheus_client, whose labels are only known from samples."""


def _documented() -> dict[str, set[str]]:
    section = PAGE.read_text().partition("## Metrics")[2].partition("\n## ")[0]
    return {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in ROW.findall(section)
        for name in re.findall(r"`(\w+)`", names)
    }


def _exposed() -> dict[str, set[str]]:
    labels = {
        name: set(getattr(collector, "_labelnames", ()))
        for collector, names in REGISTRY._collector_to_names.items()
        for name in names
    }
    exposed = {}
    for metric in REGISTRY.collect():
        name = f"{metric.name}_total" if metric.type == "counter" else metric.name
        sampled = {label for one in metric.samples for label in one.labels}
        exposed[name] = sampled if name.startswith(OF_PYTHON) else labels[name]
    return exposed


def test_every_metric_is_documented_with_its_labels_and_nothing_else() -> None:
    assert _documented() == _exposed()
