"""Audit lines: every event and reason is documented, no answer tells one, and e-mails as set."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.auditslugs import documented, is_documented, told
from harness.grantkit import HeldKeys
from harness.oauthkit import PUBLIC_URL, RESOURCE, audit_log, authorization_server
from harness.oidcstub import Person
from productive_gateway import grants
from productive_gateway.errors import Unavailable
from productive_gateway.grants.errors import TokenFault
from productive_gateway.grants.grant import Cause, Refusal
from productive_gateway.mcp.config import McpConfig
from productive_gateway.mcp.responses import of_error
from productive_gateway.oauth.errors import ErrorCode
from productive_gateway.observability.audit import EmailStyle, Event, audit, describing_emails
from productive_gateway.people.admission import Denial
from productive_gateway.sealing.email_label import email_description
from productive_gateway.sealing.keys import KeyRing

SOURCES = Path(grants.__file__).parents[1]
ANNOUNCED = frozenset(one.value for one in (*Refusal, *Cause, *Denial, *ErrorCode))
"""Enumerations whose values are reasons."""
OF_KUBERNETES = ("Gone",)
"""Errors whose reason is the API server's."""
ON_MCP = frozenset(one.value for one in TokenFault)
"""Why /mcp refuses an access token: counted nowhere, since forged ones would fill the log."""


def test_every_event_is_documented_and_nothing_else() -> None:
    assert documented("Events") == {event.value for event in Event}


def test_every_reason_is_documented() -> None:
    written = {reason for _, reason in _reasons()}
    assert len(written) > 40
    missing = {one for one in written | ANNOUNCED if not is_documented(one)}
    assert missing - ON_MCP == set()


def test_no_reason_is_documented_that_cannot_occur() -> None:
    written = {reason for _, reason in _reasons()} | ANNOUNCED | _constants()
    assert {
        one
        for one in documented("Reasons")
        if not one.endswith("…") and one not in written and not one.endswith("_stale")
    } == set()


def _reasons() -> Iterator[tuple[str, str]]:
    """Yield each reason that is written in the sources, outside the tools, with its place.

    That is a text which is passed for a parameter called `reason`, by name or by position. Texts
    that are put together are those of a family, by what they begin with.
    """
    trees = {path: tree for path, tree in _trees().items() if "tools" not in path.parts}
    everywhere = {
        name: place for tree in trees.values() for name, place in _takers(tree) if name[0] != "_"
    }
    for path, tree in trees.items():
        takes = everywhere | dict(_takers(tree))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if _name(call.func) in OF_KUBERNETES:
                continue
            values = [one.value for one in call.keywords if one.arg == "reason"]
            place = takes.get(_name(call.func))
            if place is not None and place < len(call.args):
                values.append(call.args[place])
            for value in values:
                for text in _texts(value):
                    yield f"{path.name}:{call.lineno}", text


def _takers(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield functions and classes with a parameter `reason`, and its position."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            inits = [one for one in node.body if getattr(one, "name", "") == "__init__"]
            found: list[tuple[str, Any]] = [(node.name, one) for one in inits]
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "__init__":
            found = [(node.name, node)]
        else:
            continue
        for name, function in found:
            parameters = [one.arg for one in function.args.args]
            if parameters[:1] == ["self"]:
                del parameters[0]
            if "reason" in parameters:
                yield name, parameters.index("reason")


def _texts(value: ast.expr) -> Iterator[str]:
    match value:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body)
            yield from _texts(orelse)
        case ast.JoinedStr(values=[ast.Constant(value=str(beginning)), *_]):
            yield beginning


def _name(function: ast.expr) -> str:
    return getattr(function, "id", getattr(function, "attr", ""))


@cache
def _trees() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for path in SOURCES.rglob("*.py")}


def _constants() -> set[str]:
    """Return all texts of the sources."""
    nodes = (
        node
        for tree in _trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
    )
    return {node.value for node in nodes if isinstance(node.value, str)}


def test_a_slug_in_an_answer_is_noticed() -> None:
    assert told(httpx.Response(400, json={"error": "subject_mismatch"})) == ["subject_mismatch"]
    assert told(httpx.Response(400, headers={"x-why": "id_token_nonce"})) == ["id_token_nonce"]
    good = {"error": "invalid_grant", "token_type": "Bearer", "state": "expired"}
    assert told(httpx.Response(400, json=good)) == []


@pytest.mark.attack("Q-03")
async def test_refusals_are_audited_with_a_reason_that_nobody_is_told() -> None:
    """The clients of these tests fail by themselves if an answer contains one."""
    async with authorization_server() as server:
        client = (await server.register())["client_id"]
        with audit_log() as log:
            browser = server.browser()
            code = await browser.code(client)
            answers = [
                await browser.redeem(client, code, code_verifier="w" * 64),
                await browser.redeem(client, code, redirect_uri="https://other.example/"),
                await browser.redeem("pmcp_dc_unknown", code),
                await browser.redeem(client, "pmcp_ac_forged"),
                await browser.redeem(client, code, resource="https://other.example/mcp"),
                await browser.http.get("/callback?state=forged&code=x"),
                await browser.sign_in(client, person=Person(email="nobody@example.com")),
                await browser.sign_in(client, person=Person(sub="another")),
            ]
        reasons = log.reasons("token_refused") + log.reasons("sign_in_refused")
    assert reasons == [
        "wrong_verifier",
        "wrong_redirect_uri",
        "invalid_client",
        "malformed",
        "wrong_resource",
        "state",
        "not_mapped",
        "subject_mismatch",
    ]
    assert all(answer.status_code in {400, 401, 403} for answer in answers)


@pytest.mark.attack("Q-03")
def test_the_endpoint_of_mcp_tells_no_reason_of_its_own_trouble() -> None:
    config = McpConfig(
        public_url=PUBLIC_URL,
        resource=RESOURCE,
        resource_metadata_url=f"{PUBLIC_URL}/.well-known/oauth-protected-resource/mcp",
        allowed_origins=(),
        local=False,
        server_version="1",
    )
    error = Unavailable("Try again in a moment.", reason="mapping_stale")
    answer = of_error(config, error)
    assert answer.status_code == 503
    body = bytes(answer.body)
    assert json.loads(body)["error"] == "temporarily_unavailable"
    assert told(httpx.Response(503, headers=dict(answer.headers), content=body)) == []


async def test_revocation_by_the_client_is_audited() -> None:
    async with authorization_server() as server:
        client = (await server.register())["client_id"]
        browser = server.browser()
        tokens = (await browser.redeem(client, await browser.code(client))).json()
        form = {"client_id": client, "token": tokens["refresh_token"]}
        with audit_log() as log:
            for _ in range(2):
                assert (await browser.http.post("/revoke", data=form)).status_code == 200
        assert log.reasons("grant_ended") == ["revoked_by_client"]
        [line] = log.lines
        assert line["client"]
        assert line["user"]


def _line(style: EmailStyle, keys: HeldKeys, email: str = "ana@example.com") -> dict[str, Any]:
    with describing_emails(email_description(style, keys)), audit_log() as log:
        audit(Event.SIGNED_IN, email=email)
    [line] = log.lines
    return dict(line)


@pytest.mark.attack("Q-01")
def test_emails_are_in_audit_lines_as_the_setting_says() -> None:
    keys = HeldKeys()
    assert _line(EmailStyle.FULL, keys)["email"] == "ana@example.com"
    none = _line(EmailStyle.NONE, keys)
    assert "ana" not in str(none)
    assert "email" not in none
    hashed = _line(EmailStyle.HASHED, keys)
    assert "ana" not in str(hashed)
    assert hashed["email_hash"] == _line(EmailStyle.HASHED, keys)["email_hash"]
    assert hashed["email_hash"] != _line(EmailStyle.HASHED, keys, "bo@example.com")["email_hash"]
    # Without the ring nobody can tell whose it is.
    other = HeldKeys()
    assert hashed["email_hash"] != _line(EmailStyle.HASHED, other)["email_hash"]
    with audit_log() as log:
        audit(Event.SIGNED_IN, email="ana@example.com")
    assert log.lines[0]["email"] == "ana@example.com"


def test_without_keys_a_hashed_address_is_left_out() -> None:
    class NoKeys(HeldKeys):
        def last_ring(self) -> KeyRing:
            raise Unavailable("none yet", reason="no_key_ring")

    keys = NoKeys()
    assert "email" not in str(_line(EmailStyle.HASHED, keys))
