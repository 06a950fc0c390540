"""Writes the chart's Grafana dashboard, files/dashboard.json: python -m charts.dashboard."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from charts.dashboard.document import text

DASHBOARD: Final = Path(__file__).parents[1] / "productive-mcp" / "files" / "dashboard.json"

if __name__ == "__main__":
    DASHBOARD.write_text(text())
