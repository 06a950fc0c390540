"""The suite's requirements for the last revision that begins with a handshake."""

from __future__ import annotations

import pytest

from conformance.run import check_conformance


@pytest.mark.parametrize("plain_calls", [True, False])
def test_gateway_conforms_to_the_revision_with_a_handshake(*, plain_calls: bool) -> None:
    check_conformance("2025-11-25", plain_calls=plain_calls)
