"""The suite's requirements for the current revision; `tests/full` has those for the one before."""

from __future__ import annotations

import pytest

from conformance.run import check_conformance


@pytest.mark.parametrize("plain_calls", [True, False])
def test_gateway_conforms_to_the_current_revision(*, plain_calls: bool) -> None:
    check_conformance("2026-07-28", plain_calls=plain_calls)
