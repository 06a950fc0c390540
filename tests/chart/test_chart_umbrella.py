"""The chart as a dependency of a company's own chart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.helm import CHART, MINIMUM, Helm


@pytest.fixture
def umbrella(tmp_path: Path) -> Path:
    """A chart that has ours as a dependency with a condition."""
    chart = tmp_path / "platform"
    chart.mkdir()
    ours = {
        "name": "productive-mcp",
        "version": ">=0.1.0",
        "repository": f"file://{CHART}",
        "condition": "productive-mcp.enabled",
    }
    about = {"apiVersion": "v2", "name": "platform", "version": "1.0.0", "dependencies": [ours]}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(about))
    return chart


def test_the_condition_of_an_umbrella_chart_turns_it_on(helm: Helm, umbrella: Path) -> None:
    rendered = helm.render_umbrella(umbrella, _values(enabled=True))
    assert rendered.get("Deployment", "platform-gateway")
    assert rendered.get("Secret", "platform-mapping")["metadata"]["namespace"] == "platform"


def test_the_condition_of_an_umbrella_chart_turns_it_off(helm: Helm, umbrella: Path) -> None:
    """Then nothing is missing either."""
    assert helm.render_umbrella(umbrella, {"productive-mcp": {"enabled": False}}).objects == []


def test_names_can_be_made_independent_of_the_release(helm: Helm, umbrella: Path) -> None:
    values = _values(enabled=True)
    values["productive-mcp"]["fullnameOverride"] = "mcp"
    rendered = helm.render_umbrella(umbrella, values)
    own = {"ClusterRole", "CustomResourceDefinition"}
    names = {one["metadata"]["name"] for one in rendered.objects if one["kind"] not in own}
    assert {name.partition("-")[0] for name in names} == {"mcp"}
    policies = helm.render_umbrella(
        umbrella,
        {"productive-mcp": values["productive-mcp"] | {"admissionPolicies": {"enabled": True}}},
    ).of("ValidatingAdmissionPolicy")
    assert any("system:serviceaccount:platform:mcp-gateway" in str(one) for one in policies)


def _values(*, enabled: bool) -> dict[str, Any]:
    shared = {"imageRegistry": "registry.example.com", "anything": {"else": 1}}
    return {"global": shared, "productive-mcp": {"enabled": enabled, **MINIMUM}}
