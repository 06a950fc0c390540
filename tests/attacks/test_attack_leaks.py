"""The search for secrets after each deployment finds one that is shown."""

from __future__ import annotations

import pytest

from harness.canaries import leaks
from harness.deployment import Deployment
from harness.signin import Visitor, new_person


@pytest.mark.attack("Q-01")
def test_search_finds_a_secret_in_each_place(deployment: Deployment) -> None:
    """What is planted is removed again: the search at the end of the run finds nothing."""
    with Visitor(deployment) as visitor:
        tokens = visitor.tokens(visitor.register(), new_person(deployment))
        shown = {
            "a token or code of the gateway": tokens["access_token"],
            "a PKCE verifier": visitor.verifier,
            "the token of a person": "simulator-ana-kovac",
        }
        assert leaks(deployment) == []
        log = deployment.gateways[0].log
        clean = log.stat().st_size
        for what, secret in shown.items():
            with log.open("a") as file:
                file.write(f"{secret}\n")
            assert f"log of gateway-0: {what}" in leaks(deployment)
        with log.open("r+") as file:
            file.truncate(clean)
