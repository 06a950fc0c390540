"""Each value does what its comment says: one case for every value of values.yaml."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from harness.chartvalues.case import ABSENT, PRESENT, Case
from harness.chartvalues.network import OF_NETWORK
from harness.chartvalues.objects import OF_OBJECTS
from harness.chartvalues.programs import OF_PROGRAMS
from harness.chartvalues.settings import OF_SETTINGS
from harness.helm import CHART, RELEASE, Helm, Rendered, at, nested

OF_UMBRELLAS = {"enabled", "global"}
"""Read by Helm for a chart that has this one as a dependency."""


CASES = [*OF_SETTINGS, *OF_NETWORK, *OF_OBJECTS, *OF_PROGRAMS]


@pytest.fixture(scope="module")
def render(helm: Helm) -> Callable[[dict[str, Any]], Rendered]:
    """Render values, the same ones once."""
    done: dict[str, Rendered] = {}

    def once(values: dict[str, Any]) -> Rendered:
        key = json.dumps(values, sort_keys=True)
        if key not in done:
            done[key] = helm.render(values)
        return done[key]

    return once


@pytest.mark.parametrize("case", CASES, ids=[f"{one.path} in {one.where}" for one in CASES])
def test_value_has_its_documented_effect(
    render: Callable[[dict[str, Any]], Rendered], case: Case
) -> None:
    values = _merged(case.more, nested(case.path, case.value))
    found = _find(render(values), case.where, case.inside)
    if case.expected is PRESENT:
        assert found is not ABSENT
    else:
        assert found == case.expected


def test_every_value_has_a_case() -> None:
    values = [value.path for value in _readme().documented((CHART / "values.yaml").read_text())]
    assert sorted({case.path for case in CASES}) == sorted(values)


def test_the_readme_explains_every_value_as_it_is() -> None:
    readme, values = (CHART / "README.md").read_text(), (CHART / "values.yaml").read_text()
    assert _readme().rendered(readme, values) == readme, "run python charts/readme.py"


def test_a_value_without_a_comment_is_noticed() -> None:
    readme = _readme()
    with pytest.raises(readme.UndocumentedError, match=r"a\.b has no comment"):
        readme.documented("# no dashes\na:\n  b: 1\n")


def test_the_schema_knows_every_value() -> None:
    """A value that it does not know is one that nobody can set."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert _shape(schema) - OF_UMBRELLAS == _paths(values, schema)


def _find(rendered: Rendered, where: str, inside: str) -> Any:
    kind, _, name = where.partition("/")
    names = (name, f"{RELEASE}-{name}")
    objects = [one for one in rendered.of(kind) if one["metadata"]["name"] in names]
    if not objects:
        return ABSENT
    if inside.startswith("env."):
        return rendered.environment(name).get(inside.removeprefix("env."), ABSENT)
    try:
        return at(objects[0], inside)
    except (KeyError, IndexError):
        return ABSENT


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        old = below.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if both and old is not None else value
    return merged


def _readme() -> Any:
    """Return the script charts/readme.py as a module."""
    spec = importlib.util.spec_from_file_location("chart_readme", CHART.parent / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look it up
    spec.loader.exec_module(module)
    return module


def _shape(schema: dict[str, Any], path: str = "") -> set[str]:
    found: set[str] = set()
    for name, inner in schema["properties"].items():
        below = f"{path}.{name}" if path else name
        found |= _shape(inner, below) if "properties" in inner else {below}
    return found


def _paths(values: Any, schema: dict[str, Any], path: str = "") -> set[str]:
    if "properties" not in schema:
        return {path}
    found = set()
    for name, inner in values.items():
        below = f"{path}.{name}" if path else name
        known = schema["properties"].get(name, {})
        found |= _paths(inner, known, below)
    return found
