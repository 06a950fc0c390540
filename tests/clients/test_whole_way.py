"""The whole way, once: from `kubectl apply` to a tool call, and back to nothing.

A real API server, the operator under its rights, two gateways behind a round-robin proxy, a real
browser and the Python SDK as the client.
"""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from harness.browser import chromium
from harness.deployment import Deployment, Plan
from harness.processes import eventually
from harness.sdkclient import Assistant

EXAMPLES = Path(__file__).parents[2] / "examples"
ANA = "ana.kovac@northlight.example"
REVOKED_WITHIN = 5.0
"""Seconds of invariant 6, healthy watches; a test allows twice that."""


class Kubectl:
    """The administrator's terminal, in the users' namespace."""

    def __init__(self, deployment: Deployment) -> None:
        self._program = deployment.cluster.plane.kubectl
        self._kubeconfig = deployment.cluster.kubeconfig()
        self._namespace = deployment.cluster.names.users

    def __call__(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002
        done = subprocess.run(
            [
                self._program,
                f"--kubeconfig={self._kubeconfig}",
                f"--namespace={self._namespace}",
                *arguments,
            ],
            check=True,
            capture_output=True,
            text=True,
            input=input,
        )
        return done.stdout


def logged_minutes(deployment: Deployment) -> int:
    entries = httpx.get(
        f"{deployment.simulator_url}/__simulator/time_entries", trust_env=False
    ).json()
    return sum(entry["time"] for entry in entries)


def new_token_of_ana(deployment: Deployment) -> str:
    """Make another token of the same person in the simulator, as she would in Productive."""
    answer = httpx.post(
        f"{deployment.simulator_url}/__simulator/tokens",
        json={"value": "simulator-ana-rotated", "people": {"1200": "9104"}},
        trust_env=False,
    )
    answer.raise_for_status()
    return "simulator-ana-rotated"


def revoke_in_productive(deployment: Deployment, token: str) -> None:
    httpx.post(
        f"{deployment.simulator_url}/__simulator/tokens",
        json={"value": token, "revoked": True},
        trust_env=False,
    ).raise_for_status()


def set_token(kubectl: Kubectl, token: str) -> None:
    manifest = kubectl(
        "create",
        "secret",
        "generic",
        "ana-kovac-productive",
        "--type=productive-mcp.dev/token",
        f"--from-literal=token={token}",
        "--dry-run=client",
        "-o=yaml",
    )
    kubectl("apply", "-f=-", input=manifest)


async def arrived(deployment: Deployment) -> None:
    await asyncio.to_thread(deployment.people.arrive)


async def log_time(assistant: Assistant, hours: float) -> dict[str, object]:
    entry = {"project": "Website relaunch", "service": "16880011", "hours": hours}
    result = await assistant.call("log_time", {"entries": [{**entry, "allow_duplicate": True}]})
    assert not result.is_error, result.content
    outcome: dict[str, object] = result.structured_content["results"][0]
    assert outcome["ok"], outcome
    return outcome


@pytest.mark.attack("M-09")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_from_kubectl_apply_to_a_tool_call_and_back(
    deploy: Callable[[Plan], Deployment], mode: str
) -> None:
    deployment = await asyncio.to_thread(deploy, Plan(replicas=2))
    kubectl = Kubectl(deployment)
    kubectl("apply", f"-f={EXAMPLES}")
    kubectl("wait", "--for=condition=Ready", "productiveuser/ana-kovac", "--timeout=60s")
    await arrived(deployment)

    async with chromium() as browser:
        assistant = Assistant(deployment.mcp_url, ANA, browser, mode=mode)  # type: ignore[arg-type]
        before = logged_minutes(deployment)
        await log_time(assistant, 1.5)
        assert logged_minutes(deployment) == before + 90

        # Refresh at the other replica, since the ingress distributes requests; the client is told
        # that its access token expired.
        first = assistant.memory.tokens
        assert first is not None
        await refresh_everywhere(deployment, assistant)
        assert assistant.memory.tokens is not None
        assert assistant.memory.tokens.access_token != first.access_token
        await log_time(assistant, 0.5)

        # A rotated token is used by the next call: the old one is dead in Productive.
        rotated = new_token_of_ana(deployment)
        set_token(kubectl, rotated)
        eventually(
            lambda: rotated in str(deployment.people.published()),
            seconds=60,
            what="the rotated token",
        )
        await arrived(deployment)
        revoke_in_productive(deployment, "simulator-ana-kovac")
        await log_time(assistant, 0.25)

        # Deleted and made again: tools say what is wrong meanwhile, and nobody is signed out.
        kubectl("delete", "secret", "ana-kovac-productive")
        kubectl(
            "wait",
            "--for=jsonpath={.status.conditions[0].reason}=TokenSecretNotFound",
            "productiveuser/ana-kovac",
            "--timeout=60s",
        )
        await arrived(deployment)
        told = await assistant.call("get_me")
        assert told.is_error
        assert told.structured_content["error"]["code"] == "not_connected"
        set_token(kubectl, rotated)
        kubectl("wait", "--for=condition=Ready", "productiveuser/ana-kovac", "--timeout=60s")
        await arrived(deployment)
        await log_time(assistant, 0.25)
        assert assistant.sign_ins == 1

        # Gone is gone, at every replica.
        bearer = {"Authorization": f"Bearer {assistant.memory.tokens.access_token}"}
        kubectl("delete", "productiveuser", "ana-kovac")
        deleted = time.monotonic()
        for number in range(2):
            deployment.ingress.pin(number)
            while (status := call(deployment, bearer).status_code) != 401:
                assert status == 200
                assert time.monotonic() - deleted < 2 * REVOKED_WITHIN
                await asyncio.sleep(0.05)
        deployment.ingress.pin(None)
        refused = refresh(deployment, assistant)
        assert refused.status_code == 400
        assert refused.json()["error"] == "invalid_grant"


async def refresh_everywhere(deployment: Deployment, assistant: Assistant) -> None:
    """Refresh once at each replica; the second presents what the first gave."""
    tokens = assistant.memory.tokens
    assert tokens is not None
    for number in (1, 0):
        deployment.ingress.pin(number)
        answer = await asyncio.to_thread(refresh, deployment, assistant)
        assert answer.status_code == 200, answer.text
        assistant.memory.tokens = type(tokens).model_validate(answer.json())
    deployment.ingress.pin(None)


def refresh(deployment: Deployment, assistant: Assistant) -> httpx.Response:
    tokens, client = assistant.memory.tokens, assistant.memory.client
    assert tokens is not None
    assert client is not None
    return httpx.post(
        f"{deployment.url}/token",
        data={
            "grant_type": "refresh_token",
            "refresh_token": tokens.refresh_token,
            "client_id": client.client_id,
        },
        timeout=30,
        trust_env=False,
    )


def call(deployment: Deployment, headers: dict[str, str]) -> httpx.Response:
    return httpx.post(
        deployment.mcp_url,
        headers={**headers, "Accept": "application/json, text/event-stream"},
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        timeout=30,
        trust_env=False,
    )
