"""How the doctor finds an installation, asks for rights, and prints its report."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiohttp import web

from harness.rights import Account, granted
from productive_operator.doctor import rights
from productive_operator.doctor.fetching import MAX_BYTES, NoAnswer, Web, web_session
from productive_operator.doctor.installation import (
    Installation,
    UnknownInstallation,
    of_deployments,
    of_settings,
)
from productive_operator.doctor.report import as_json, as_text, exit_status
from productive_operator.doctor.result import NotReadable, Result, not_checked, ok, warning, wrong

GOOD = ok("mapping", "fine")
ODD = warning("people", "1 is not ready", "Look.")
BAD = wrong("key ring", "gone…", "Restore it. " * 20)
UNKNOWN = not_checked("quota", "the right to list resourcequotas in acme")


def deployment(component: str, release: str = "acme", **settings: str) -> dict[str, Any]:
    labels = {
        "app.kubernetes.io/instance": release,
        "app.kubernetes.io/component": component,
    }
    env: list[dict[str, Any]] = [{"name": n, "value": v} for n, v in settings.items()]
    env.append({"name": "OIDC_CLIENT_SECRET", "valueFrom": {}})
    spec = {"serviceAccountName": f"acme-{component}", "containers": [{"env": env}]}
    return {
        "metadata": {"name": component, "namespace": "acme", "labels": labels},
        "spec": {"template": {"spec": spec}},
    }


def test_installation_is_read_from_its_deployments() -> None:
    operator = deployment(
        "operator", USERS_NAMESPACE="people", MAPPING_SECRET="acme-mapping", INTERNAL_PORT="9191"
    )
    gateway = deployment(
        "gateway",
        PUBLIC_URL="https://mcp.example.com/",
        GRANTS="kubernetes://acme-grants",
        KEY_RING_SECRET="elsewhere/ring",
        ACCESS_JWKS_URL="https://idp.example.com/keys",
    )
    found = of_deployments([operator, gateway])
    assert (found.namespace, found.release, found.users_namespace) == ("acme", "acme", "people")
    assert found.mapping == ("acme", "acme-mapping")
    assert found.key_ring == ("elsewhere", "ring")
    assert found.grants_namespace == "acme-grants"
    assert found.public_url == "https://mcp.example.com"
    assert found.provider is not None
    assert (found.provider.issuer, found.provider.jwks_url) == (
        None,
        "https://idp.example.com/keys",
    )
    assert found.accounts == {"operator": "acme-operator", "gateway": "acme-gateway"}
    assert found.ports["operator"] == 9191


def test_several_installations_have_to_be_told_apart() -> None:
    with pytest.raises(UnknownInstallation, match="--namespace acme --release other"):
        of_deployments([deployment("operator"), deployment("operator", "other")])
    with pytest.raises(UnknownInstallation, match="no installation"):
        of_deployments([])


def test_operator_s_own_settings_tell_less() -> None:
    own = {"USERS_NAMESPACE": "acme-users", "MAPPING_SECRET": "acme-mapping"}
    found = of_settings(own, "acme", "the right to list deployments")
    assert (found.mapping, found.key_ring) == (("acme", "acme-mapping"), None)
    assert "the right to list deployments" in str(found.needs())
    with pytest.raises(UnknownInstallation, match="the right to list deployments"):
        of_settings({}, "acme", "the right to list deployments")


@pytest.mark.parametrize("program", ["operator", "gateway"])
def test_rights_are_those_of_the_chart_s_files(program: Account) -> None:
    places = {one: one for one in ("release", "users", "grants")}
    names = {"MAPPING": "mapping", "KEY_RING": "key_ring"}
    asked = {
        (
            one.namespace,
            one.resource + (f".{one.group}" if one.group else ""),
            one.name or "any",
            one.verb,
        )
        for one in rights.needed(program, places, names)
    }
    given = {
        (one.place, _qualified_last(one.resource), one.name, one.verb) for one in granted(program)
    }
    assert asked == given
    with pytest.raises(NotReadable):
        list(rights.needed(program, {}, names))


def _qualified_last(resource: str) -> str:
    name, slash, subresource = resource.partition("/")
    plural, dot, group = name.partition(".")
    return f"{plural}{slash}{subresource}{dot}{group}"


def test_missing_rights_are_listed() -> None:
    missing = [rights.Right("acme", "", "secrets", "acme-keys", verb) for verb in "abcdef"]
    found = rights.judge_rights("rights", 7, missing)
    assert "a secrets acme-keys in acme" in found.words
    assert found.words.endswith("…")
    assert rights.judge_rights("rights", 7, []).words == "it has all 7"


@pytest.mark.parametrize(
    ("results", "status"),
    [([], 0), ([GOOD, UNKNOWN], 0), ([GOOD, ODD], 1), ([ODD, BAD, GOOD], 2)],
)
def test_exit_status_is_for_scripts(results: list[Result], status: int) -> None:
    assert exit_status(results) == status
    assert json.loads(as_json(results))["exitStatus"] == status


def test_report_has_a_line_for_each_check_and_its_remedy_below() -> None:
    lines = as_text([GOOD, ODD, BAD, UNKNOWN], "utf-8").splitlines()
    assert lines[:4] == [
        "✓ mapping: fine",
        "! people: 1 is not ready",
        "    Look.",
        "✗ key ring: gone…",
    ]
    assert "- quota: not checked: needs the right to list resourcequotas in acme" in lines
    assert lines[-1] == "1 ok, 1 warning, 1 wrong, 1 not checked."
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("encoding", ["ascii", None])
def test_report_needs_no_unicode(encoding: str | None) -> None:
    text = as_text([GOOD, BAD], encoding)
    assert text.isascii()
    assert text.startswith("ok mapping: fine\nX  key ring: gone...\n")


def test_installation_without_a_gateway_says_so() -> None:
    found = of_deployments([deployment("operator", USERS_NAMESPACE="u", MAPPING_SECRET="m")])
    assert isinstance(found, Installation)
    assert "gateway" in str(found.needs())


async def test_what_answers_too_much_or_not_at_all_gives_no_answer() -> None:
    async def endless(_: web.Request) -> web.Response:
        return web.Response(body=b"x" * (MAX_BYTES + 1))

    async def moved(_: web.Request) -> web.Response:
        raise web.HTTPFound("/endless")

    app = web.Application()
    app.router.add_get("/endless", endless)
    app.router.add_get("/moved", moved)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with web_session() as session:
            client = Web(session)
            with pytest.raises(NoAnswer, match="no usable answer"):
                await client.get(f"{base}/endless")
            assert (await client.get(f"{base}/moved")).status == 302
            with pytest.raises(NoAnswer, match="cannot be reached"):
                await client.get("http://127.0.0.1:9/")
            with pytest.raises(NoAnswer, match="usable answer"):
                await client.get("no address")
    finally:
        await runner.cleanup()
