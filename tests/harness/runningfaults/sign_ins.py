"""Faults of the sign-in provider, of stored sign-ins, and of those who use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx

from harness.evidence import idp_faults
from harness.faults import Answer
from harness.grantrequests import creates_a_binding
from harness.kube import secret, secrets_path
from harness.quota import limit_secrets
from harness.runningfaults.actions import failing, refresh, ruled
from harness.runningfaults.site import Site
from harness.signin import Visitor, new_person
from harness.sweeps import Sweeps
from productive_contract.names import GRANT_TYPE

QUOTA: Final = 300
"""Of the chart's alert; nothing enforces it."""


@contextmanager
def a_provider_that_fails(site: Site) -> Iterator[None]:
    email = new_person(site.running)
    with (
        idp_faults(site.running, token={"status": 500, "unspent": True}),
        failing(lambda: site.fail_to_sign_in(email)),
    ):
        yield


def a_client_secret_that_expired(site: Site) -> None:
    refused = {"status": 401, "body": '{"error": "invalid_client"}', "unspent": True}
    with idp_faults(site.running, token=refused):
        site.fail_to_sign_in(new_person(site.running))


def another_account(site: Site) -> None:
    with idp_faults(site.running, id_token={"claims": {"sub": "another-account"}}):
        site.fail_to_sign_in(site.email)


def grants_that_are_forbidden(site: Site) -> None:
    with ruled(site, creates_a_binding, Answer(403, "Forbidden")):
        site.fail_to_sign_in(new_person(site.running))


@contextmanager
def many_secrets(site: Site) -> Iterator[None]:
    path = secrets_path(site.names.grants)
    names = [f"ledger-{number}" for number in range(QUOTA)]
    for name in names:
        site.kube.create(path, secret(name, {}, kind="productive-mcp.dev/ledger"))
    Sweeps(site.running).ask(0)
    yield
    for name in names:
        site.kube.ask("DELETE", f"{path}/{name}")
    Sweeps(site.running).ask(0)


@contextmanager
def a_quota_that_is_used_up(site: Site) -> Iterator[None]:
    email = new_person(site.running)
    limit_secrets(site.running.cluster, len(site.kube.items(secrets_path(site.names.grants))))
    site.fail_to_sign_in(email)
    yield
    site.kube.delete(f"/api/v1/namespaces/{site.names.grants}/resourcequotas/grants")


@contextmanager
def a_client_that_loops(site: Site) -> Iterator[None]:
    """A client refreshes its tokens all the time, at one gateway."""
    client, tokens = site.sign_in()
    form = {
        "grant_type": "refresh_token",
        "client_id": client.id,
        "refresh_token": tokens["refresh_token"],
    }
    site.running.ingress.pin(0)
    with (
        httpx.Client(base_url=site.running.url, trust_env=False, timeout=30) as http,
        failing(lambda: [http.post("/token", data=form) for _ in range(20)]),
    ):
        yield
    site.running.ingress.pin(None)


@contextmanager
def an_edited_grant(site: Site) -> Iterator[None]:
    """Each replica reports it once, and again when it starts, until the Secret is deleted."""
    client, tokens = site.sign_in()
    path = secrets_path(site.names.grants)
    [*_, newest] = sorted(
        site.kube.items(path, fieldSelector=f"type={GRANT_TYPE}"),
        key=lambda one: int(one["metadata"]["resourceVersion"]),
    )
    edited = f"{path}/{newest['metadata']['name']}"
    site.kube.merge(edited, {"metadata": {"labels": {"productive-mcp.dev/user": "somebody-else"}}})
    refresh(site, client, tokens)
    yield
    site.kube.delete(edited)


def a_refresh_token_used_twice(site: Site) -> None:
    client, tokens = site.sign_in()
    with Visitor(site.running) as one:
        second = one.refresh(client, tokens["refresh_token"]).json()
        assert one.refresh(client, second["refresh_token"]).is_success
        assert one.refresh(client, tokens["refresh_token"]).is_client_error


def a_code_used_twice(site: Site) -> None:
    with Visitor(site.running) as one:
        client = one.register()
        code = one.code(client, new_person(site.running))
        assert one.exchange(client, code).is_success
        assert one.exchange(client, code).is_client_error
