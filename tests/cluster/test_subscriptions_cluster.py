"""Streams of `subscriptions/listen`, from a change of the ProductiveUser to the client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from harness.deployment import Deployment, Plan
from harness.mcpkit import MODERN
from harness.revisions import SUBSCRIPTION, headers_of, message_of
from harness.signin import Visitor, new_person

WANTED = {"notifications": {"toolsListChanged": True}}
EXIT_SECONDS = 15.0
"""Less than the 25 seconds for which running requests may hold up the exit."""


class Stream:
    """One open stream, as its client reads it."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def frames(self) -> Iterator[dict[str, object]]:
        """Yield the messages until the stream ends."""
        for line in self._lines:
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


@contextmanager
def listening(deployment: Deployment, replica: int, token: str) -> Iterator[Stream]:
    """Listen at one replica."""
    message = message_of(MODERN, "subscriptions/listen", WANTED, f"at {replica}")
    headers = {
        **headers_of(MODERN, message),
        "authorization": f"Bearer {token}",
        "host": deployment.url.partition("://")[2],
    }
    url = f"http://127.0.0.1:{deployment.ports[replica]}/mcp"
    with (
        httpx.Client(trust_env=False, timeout=30) as http,
        http.stream("POST", url, json=message, headers=headers) as response,
    ):
        assert response.status_code == httpx.codes.OK
        yield Stream(response)


def signed_in(deployment: Deployment, email: str) -> str:
    with Visitor(deployment) as visitor:
        return str(visitor.tokens(visitor.register(), email)["access_token"])


@pytest.mark.rule("T17")
def test_streams_of_both_replicas_report_a_change_and_end_with_the_access(
    deployment: Deployment,
) -> None:
    email, other = new_person(deployment), new_person(deployment)
    token = signed_in(deployment, email)
    with listening(deployment, 0, token) as first, listening(deployment, 1, token) as second:
        streams = [first.frames(), second.frames()]
        for frames in streams:
            assert next(frames)["method"] == "notifications/subscriptions/acknowledged"
        deployment.people.change(other.partition("@")[0], access={"readOnly": True})
        deployment.people.change(email.partition("@")[0], access={"readOnly": True})
        for replica, frames in enumerate(streams):
            told = next(frames)
            assert told["method"] == "notifications/tools/list_changed"
            assert told["params"] == {"_meta": {SUBSCRIPTION: f"at {replica}"}}
        deployment.people.change(email.partition("@")[0], suspend=True)
        for frames in streams:
            assert list(frames) == []


@pytest.mark.rule("T17")
def test_replica_that_stops_ends_its_streams_with_a_result_and_exits(
    deploy: Callable[[Plan], Deployment],
) -> None:
    deployment = deploy(Plan(replicas=1))
    token = signed_in(deployment, new_person(deployment))
    with listening(deployment, 0, token) as stream:
        frames = stream.frames()
        next(frames)
        gateway = deployment.gateways[0]
        assert gateway.stop(EXIT_SECONDS) == 0
        (last,) = frames
        assert last["id"] == "at 0"
        assert last["result"]["resultType"] == "complete"  # type: ignore[index]
