"""Questions to the person (`input_required`) whose answers arrive at another replica."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from harness.deployment import Deployment
from harness.mcpkit import MODERN
from harness.revisions import ASKS, answered, headers_of, message_of
from harness.signin import Visitor, new_person

ENTRY = {"project": "relaunch", "service": "design", "hours": 1}
YES = {"confirm": {"action": "accept", "content": {"confirm": True}}}


class Caller:
    """A person with a client that can show questions, at the replica of each call."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        with Visitor(deployment) as visitor:
            tokens = visitor.tokens(visitor.register(), new_person(deployment))
        self._token = tokens["access_token"]

    def call(self, replica: int, tool: str, arguments: Any, **answer: Any) -> dict[str, Any]:
        """Call a tool; return its result, or the question."""
        params = {"name": tool, "arguments": arguments, "_meta": ASKS, **answer}
        message = message_of(MODERN, "tools/call", params)
        headers = {
            **headers_of(MODERN, message),
            "authorization": f"Bearer {self._token}",
            "host": self._deployment.url.partition("://")[2],
        }
        url = f"http://127.0.0.1:{self._deployment.ports[replica]}/mcp"
        with httpx.Client(trust_env=False, timeout=30) as http:
            return answered(http.post(url, json=message, headers=headers))


def code(result: dict[str, Any]) -> str:
    """Return why nothing was done."""
    assert result["isError"] is True
    found: str = result["structuredContent"]["error"]["code"]
    return found


@pytest.mark.rule("T18")
def test_question_is_answered_at_another_replica_once_and_by_its_person_only(
    deployment: Deployment,
) -> None:
    # The same user of Productive, so that nothing but the state keeps them apart.
    person, another = Caller(deployment), Caller(deployment)
    logged = person.call(0, "log_time", {"entries": [ENTRY]})
    entry = logged["structuredContent"]["results"][0]["entry"]["id"]
    doomed = {"kind": "time_entry", "item": entry}
    asked = person.call(0, "delete_item", doomed)
    assert asked["resultType"] == "input_required"
    state = asked["requestState"]

    def reply(replica: int, of: Caller = person, sealed: str = state) -> dict[str, Any]:
        return of.call(replica, "delete_item", doomed, requestState=sealed, inputResponses=YES)

    assert code(reply(1, another)) == "confirm_another_person"
    middle = len(state) // 2
    altered = state[:middle] + ("A" if state[middle] != "A" else "B") + state[middle + 1 :]
    assert code(reply(1, sealed=altered)) == "confirm_invalid"
    assert reply(1)["isError"] is False
    for replica in range(2):
        assert code(reply(replica)) in {"not_found", "confirm_used"}
