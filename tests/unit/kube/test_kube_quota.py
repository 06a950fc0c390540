"""What the answer of a full namespace says about its quota."""

from __future__ import annotations

import pytest

from productive_kube.errors import QuotaExceeded, from_status


@pytest.mark.parametrize(
    ("limited", "limits"),
    [
        ("count/secrets=10", {"count/secrets": 10}),
        ("count/secrets=10k,secrets=500", {"count/secrets": 10_000, "secrets": 500}),
        ("requests.storage=1Gi,count/secrets=7", {"count/secrets": 7}),
        ("", {}),
        ("nonsense", {}),
    ],
)
def test_exceeded_quota_names_its_limits(limited: str, limits: dict[str, int]) -> None:
    message = (
        'secrets "a" is forbidden: exceeded quota: grants, requested: count/secrets=1, '
        f"used: count/secrets=5, limited: {limited}"
    )
    error = from_status("create /x", 403, {"reason": "Forbidden", "message": message})
    assert isinstance(error, QuotaExceeded)
    assert error.limits == limits
