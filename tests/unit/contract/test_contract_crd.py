"""Names, bounds and rules on which the CRD and the programs must agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from productive_contract.email import MAX_LENGTH
from productive_contract.mapping import Reason
from productive_contract.names import DEFAULT_TOKEN_KEY, GROUP, KIND, PLURAL, TOKEN_TYPE, VERSION
from productive_operator.users import MAX_USER_ID, TOOLSETS

ROOT = Path(__file__).resolve().parents[3]
CRD: dict[str, Any] = yaml.safe_load((ROOT / "crds" / f"productiveusers.{GROUP}.yaml").read_text())
(SERVED,) = CRD["spec"]["versions"]
SPEC = SERVED["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]


def test_the_crd_has_the_names_of_the_contract() -> None:
    names = CRD["spec"]["names"]
    assert CRD["metadata"]["name"] == f"{PLURAL}.{GROUP}"
    assert (CRD["spec"]["group"], SERVED["name"], names["kind"]) == (GROUP, VERSION, KIND)
    assert names["shortNames"] == ["puser", "pu"]
    assert names["categories"] == ["productive"]


def test_the_crd_has_the_toolsets_and_bounds_of_the_programs() -> None:
    assert tuple(SPEC["access"]["properties"]["toolsets"]["items"]["enum"]) == TOOLSETS
    assert SPEC["email"]["maxLength"] == MAX_LENGTH
    assert str(MAX_USER_ID) in SPEC["userId"]["x-kubernetes-validations"][0]["rule"]
    assert SPEC["apiTokenSecretRef"]["properties"]["key"]["default"] == DEFAULT_TOKEN_KEY
    assert TOKEN_TYPE in " ".join(SPEC["apiTokenSecretRef"]["description"].split())


def test_the_printer_columns_are_as_documented() -> None:
    columns = {c["name"].upper(): c.get("priority", 0) for c in SERVED["additionalPrinterColumns"]}
    assert [name for name, priority in columns.items() if priority == 0] == [
        "EMAIL",
        "USER ID",
        "READY",
        "REASON",
        "AGE",
    ]
    assert [name for name, priority in columns.items() if priority] == [
        "SECRET",
        "SUSPENDED",
        "MESSAGE",
    ]
    assert [s["jsonPath"] for s in SERVED["selectableFields"]] == [".spec.email", ".spec.userId"]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_valid_condition_reason(reason: Reason) -> None:
    assert reason.value.isalpha()
    assert reason.value[0].isupper()


def test_every_rule_has_a_message() -> None:
    def rules(node: Any) -> list[dict[str, str]]:
        if isinstance(node, dict):
            own = node.get("x-kubernetes-validations") or []
            return own + [rule for value in node.values() for rule in rules(value)]
        return [rule for value in node for rule in rules(value)] if isinstance(node, list) else []

    found = rules(SERVED["schema"])
    assert len(found) > 10
    assert all(rule["message"] for rule in found)
