"""The suite's requirements for the last revision that begins with a handshake."""

from __future__ import annotations

from conformance.run import check_conformance


def test_gateway_conforms_to_the_revision_with_a_handshake() -> None:
    check_conformance("2025-11-25")
