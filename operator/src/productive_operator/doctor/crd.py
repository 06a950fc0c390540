"""Whether the cluster knows ProductiveUsers as this program does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from productive_contract.names import GROUP, PLURAL, VERSION
from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.result import NotReadable, Result, ok, wrong

TITLE: Final = "ProductiveUsers"
NAME: Final = f"{PLURAL}.{GROUP}"
_PATH: Final = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{NAME}"
_INSTALL: Final = "Run kubectl apply --server-side -f crds/ with the files of this version."
_FIELDS: Final = (
    "email",
    "userId",
    "apiTokenSecretRef",
    "organizationId",
    "access",
    "suspend",
    "revokedBefore",
)
"""Of the spec: a field that the CRD does not know is cut off without a word."""


async def check_crd(reader: ClusterReader) -> Result:
    """Read the CRD or, without the right to, what the API server serves."""
    try:
        return judge_crd(await reader.find(_PATH, "get customresourcedefinitions"))
    except NotReadable:
        served = await reader.client.get("/apis")
        return judge_served(served)


def judge_crd(crd: Mapping[str, Any] | None) -> Result:
    """Judge the definition."""
    if crd is None:
        return wrong(TITLE, f"the cluster does not know them: there is no CRD {NAME}", _INSTALL)
    spec = crd["spec"]
    version = next((one for one in spec["versions"] if one["name"] == VERSION), None)
    if version is None or not version.get("served"):
        return wrong(TITLE, f"the CRD does not serve {VERSION}, which this program uses", _INSTALL)
    conditions = (crd.get("status") or {}).get("conditions") or ()
    if not any(one["type"] == "Established" and one["status"] == "True" for one in conditions):
        return wrong(
            TITLE,
            "the CRD is not established",
            f"Look at the conditions of kubectl describe crd {NAME}.",
        )
    schema = version["schema"]["openAPIV3Schema"]["properties"].get("spec", {})
    missing = [name for name in _FIELDS if name not in schema.get("properties", {})]
    if "status" not in version.get("subresources", {}):
        missing.append("status (subresource)")
    if missing:
        return wrong(
            TITLE, f"the CRD is older than this program: no {', '.join(missing)}", _INSTALL
        )
    return ok(TITLE, f"the CRD serves {VERSION} with all fields")


def judge_served(served: Mapping[str, Any]) -> Result:
    """Judge the list of groups, which says less."""
    for group in served.get("groups") or ():
        if group["name"] == GROUP and VERSION in (one["version"] for one in group["versions"]):
            return ok(TITLE, f"the cluster serves {VERSION}")
    return wrong(TITLE, f"the cluster does not serve {GROUP}/{VERSION}", _INSTALL)
