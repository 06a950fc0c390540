"""The tokens of the seed, each of a person with a role or a trouble."""

from __future__ import annotations

from productive_dev.simulator.seed.people import DEACTIVATED, HARBOUR, NORTHLIGHT
from productive_dev.simulator.tokens import Token


def tokens() -> tuple[Token, ...]:
    """Return the tokens of the seed."""
    return (
        Token("simulator-director", "director", {NORTHLIGHT: "9101", HARBOUR: "9201"}),
        Token("simulator-manager", "manager", {NORTHLIGHT: "9103"}),
        Token("simulator-ana-kovac", "member", {NORTHLIGHT: "9104"}),
        Token("simulator-ana-kovac-read-only", "member-read-only", {NORTHLIGHT: "9104"}, True),
        Token("simulator-ana-horvat", "member-developer", {NORTHLIGHT: "9105"}),
        Token("simulator-luka-babic", "member-strict-policy", {NORTHLIGHT: "9106"}),
        Token("simulator-luca-moretti", "member-new-york", {NORTHLIGHT: "9107"}),
        Token("simulator-sofia-marin", "member-rails-time-zone", {NORTHLIGHT: "9111"}),
        Token("simulator-tomislav-kralj", "member-without-cost-rate", {NORTHLIGHT: "9112"}),
        Token("simulator-client", "client", {NORTHLIGHT: "9123"}),
        Token("simulator-deactivated", "deactivated", {NORTHLIGHT: DEACTIVATED}),
        Token("simulator-other-organization", "other-organization", {HARBOUR: "9202"}),
        Token("simulator-revoked", "revoked", {NORTHLIGHT: "9104"}, revoked=True),
        Token("simulator-slow", "low-limit", {NORTHLIGHT: "9104"}, limit=5),
    )
