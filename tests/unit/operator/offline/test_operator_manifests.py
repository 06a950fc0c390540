"""Files are read as strictly as by the API server: the table that kubectl passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from productive_operator.offline.manifests import ManifestError, read_manifests, secret_data
from productive_operator.offline.render import render_files
from productive_operator.offline.yaml_documents import read_documents

TABLE = Path(__file__).resolve().parents[3] / "contract" / "manifest_cases.json"
CASES: list[dict[str, Any]] = json.loads(TABLE.read_text())


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_a_file_is_taken_exactly_if_kubectl_takes_it(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(case["yaml"])
    assert _accepted(file) is case["accepted"]


def _accepted(file: Path) -> bool:
    try:
        rendered = render_files([file])
        for manifest in read_manifests([file]):
            if manifest.kind == "Secret":
                secret_data(manifest)
    except ManifestError:
        return False
    return all(row.reason != "Invalid" for row in rendered.rows)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("N", False),
        ("1:30", "1:30"),
        ("010", 8),
        ("0o10", 8),
        ("-0x1F", -31),
        ("0b1_01", 5),
        ("1_000", 1000),
        ("09", 9),
        ("9104.0", 9104),
        ("1e3", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("18446744073709551616", 1.8446744073709552e19),
        ("2026-11-23", "2026-11-23"),
        ("~", None),
        ("", None),
        ("<<x", "<<x"),
    ],
)
def test_plain_scalars_mean_what_they_mean_to_kubernetes(text: str, value: object) -> None:
    [document] = read_documents(f"a: {text}".encode())
    assert document == {"a": value}
    assert type(document["a"]) is type(value)


def test_own_keys_win_over_merged_ones_and_earlier_over_later() -> None:
    text = b"a: 1\n<<: [{a: 2, b: 3}, {b: 4, c: 5}]\nd: 6\nd: 7\n"
    assert read_documents(text) == [{"a": 1, "b": 3, "c": 5, "d": 7}]


@pytest.mark.parametrize("text", [b"a: .inf", b"a: .NaN", b"{[1]: 2}", b"{~: 2}"])
def test_what_json_cannot_hold_is_refused(text: bytes) -> None:
    with pytest.raises(yaml.YAMLError):
        read_documents(text)


@given(st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_any_bytes_are_read_as_json_values_or_refused(raw: bytes) -> None:
    try:
        documents = read_documents(raw)
    except (yaml.YAMLError, ValueError, RecursionError):
        return
    json.dumps(documents, default=str)
