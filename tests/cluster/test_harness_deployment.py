"""A deployment runs as processes, and changes to people reach each gateway."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import httpx

from harness.deployment import Deployment, Plan


def _metadata(deployment: Deployment) -> httpx.Response:
    address = f"{deployment.url}/.well-known/oauth-authorization-server"
    return httpx.get(address, trust_env=False)


def test_the_replicas_serve_in_turn(deployment: Deployment) -> None:
    since = len(deployment.ingress.served)
    answers = [_metadata(deployment) for _ in range(4)]
    assert [answer.json()["issuer"] for answer in answers] == [deployment.url] * 4
    assert {served.replica for served in deployment.ingress.served[since:]} == {0, 1}


def test_every_gateway_uses_a_new_person(deployment: Deployment) -> None:
    name = f"p-{secrets.token_hex(4)}"
    email = f"{name}@northlight.example"
    deployment.people.add(name, email=email, user_id=9104, token="simulator-ana-kovac")
    assert deployment.people.ready(name)["reason"] == "Synced"
    assert email in deployment.people.published()["users"]
    published = deployment.people.published_revision()
    assert all(revision >= published for revision in deployment.revisions())


def test_a_killed_gateway_is_skipped_until_it_is_back(deploy: Callable[[Plan], Deployment]) -> None:
    own = deploy(Plan(proxied=True))
    own.gateways[0].kill()
    assert [_metadata(own).status_code for _ in range(3)] == [200] * 3
    own.restart_gateway(0)
    own.ingress.pin(0)
    assert _metadata(own).status_code == 200
    assert own.proxies["gateway-0"].requests
    assert own.proxies["operator"].requests


def test_no_program_prints_the_tokens_of_people(deployment: Deployment) -> None:
    name = f"p-{secrets.token_hex(4)}"
    token = f"simulator-{secrets.token_hex(16)}"
    email = f"{name}@northlight.example"
    deployment.people.add(name, email=email, user_id=9104, token=token)
    assert not [program for program, text in deployment.output().items() if token in text]
