"""The suite's requirements for the current revision; `tests/full` has those for the one before."""

from __future__ import annotations

from conformance.run import check_conformance


def test_gateway_conforms_to_the_current_revision() -> None:
    check_conformance("2026-07-28")
