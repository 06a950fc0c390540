"""`grants list`, `show` and `revoke` over a real API server, and what kubectl shows of sign-ins."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.grantkit import CLIENT, HeldClock, Replica, ana, eventually, records
from harness.kube import secret, secrets_path
from harness.oauthkit import audit_log
from productive_contract.clock import system_clock
from productive_contract.mapping import Mapping, encode
from productive_contract.names import (
    GRANT_TYPE,
    KEY_RING_KEY,
    KEY_RING_TYPE,
    LABEL_CLIENT,
    LABEL_EXPIRES_DAY,
    LABEL_STATE,
    LABEL_USER,
    MAPPING_TYPE,
)
from productive_gateway.cli import main
from productive_gateway.grants.config import DAY
from productive_gateway.grants.grant import client_hash
from productive_gateway.grants.service import Tokens
from productive_gateway.grants.store_kubernetes import KubernetesGrantStore
from productive_gateway.grants.sweeper import Sweeper
from productive_gateway.sealing.keys import encode_ring
from productive_kube.client import KubeClient

Run = Callable[..., "asyncio.Future[str]"]
BENS_UID = "5f0c6f0e-0000-4000-8000-000000000002"
BEN = replace(ana(uid=BENS_UID, email="ben@example.com"), user="acme-users/ben")


@pytest.fixture
async def replica(cluster: Cluster) -> AsyncIterator[Replica]:
    """A gateway's grants, with the key ring of the installation."""
    async with await KubeClient.connect(
        cluster.kubeconfig("gateway"), user_agent="productive-gateway"
    ) as api:
        one = Replica.over(
            KubernetesGrantStore(api, cluster.names.grants), clock=HeldClock(system_clock())
        )
        one.people.put(BEN)
        body = secret(
            cluster.names.key_ring, {KEY_RING_KEY: encode_ring(one.keys.ring())}, kind=KEY_RING_TYPE
        )
        cluster.kube.create(secrets_path(cluster.names.release), body)
        yield one


@pytest.fixture
def run(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs the program as an administrator, and returns its output."""

    def command(*arguments: str, kubeconfig: Path | None = None, code: int = 0) -> str:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig or cluster.kubeconfig()))
        capsys.readouterr()  # what was logged before
        ended = main(["grants", *arguments, "--namespace", cluster.names.grants])
        said = capsys.readouterr()
        assert ended == code, said
        return said.out + said.err

    # The program has an event loop of its own.
    return lambda *arguments, **options: asyncio.to_thread(command, *arguments, **options)  # type: ignore[return-value]


async def ben_signs_in(replica: Replica, client_id: str = CLIENT, **changes: Any) -> Tokens:
    code = await replica.code(person=BEN, subject="ben", client_id=client_id, **changes)
    return await replica.redeem(code, client_id=client_id)


def stored(cluster: Cluster) -> list[str]:
    """Return the states of the stored sign-ins, by their labels."""
    path = secrets_path(cluster.names.grants)
    found = cluster.kube.items(path, fieldSelector=f"type={GRANT_TYPE}")
    return [item["metadata"]["labels"][LABEL_STATE] for item in found]


async def test_list_shows_who_signed_in_where_and_since_when(replica: Replica, run: Run) -> None:
    await replica.tokens()
    await ben_signs_in(replica, client_name="Two\x1b[2Jfaced")
    await replica.code()
    table = (await run("list")).splitlines()
    assert table[0].split() == [
        *("NAME", "PERSON", "CLIENT", "HOST", "SINCE", "RENEWED", "EXPIRES", "STATE")
    ]
    assert [line.split()[1] for line in table[1:]] == ["ana", "ana", "ben"]
    assert sorted(line.split()[-1] for line in table[1:]) == ["active", "active", "pending"]
    assert not any("\x1b" in line for line in table)
    listed = json.loads(await run("list", "--user", "ben", "--output", "json"))
    [one] = listed
    assert one["check"] == "verified"
    assert (one["user"], one["clientHost"]) == ("acme-users/ben", "assistant.example")
    assert one["since"] < one["expires"]


async def test_sign_ins_are_chosen_by_person_client_name_hash_and_address(
    cluster: Cluster, replica: Replica, run: Run
) -> None:
    await replica.tokens()
    await ben_signs_in(replica, client_name="Editor", client_id="pmcp_dc_x")
    data = encode(Mapping(1, {one.email: one for one in (ana(), BEN)}, cluster.names.users))
    mapping = secret(cluster.names.mapping, data, kind=MAPPING_TYPE)
    cluster.kube.create(secrets_path(cluster.names.release), mapping)
    for choice in (
        ("--user", "ben"),
        ("--user", "acme-users/ben"),
        ("--email", "ben@example.com"),
        ("--client", "editor"),
        ("--client", "pmcp_dc_x"),
        ("--client", client_hash("pmcp_dc_x")[:20]),
        ("--client", "Editor", "--user", "ben"),
    ):
        [one] = json.loads(await run("list", *choice, "--output", "json"))
        assert one["user"] == BEN.user
    assert json.loads(await run("list", "--client", "Editor", "--user", "ana", "-o", "json")) == []
    assert "does not hold that address" in await run("list", "--email", "c@example.com", code=2)


async def test_without_the_key_ring_sign_ins_are_shown_and_said_to_be_unverified(
    replica: Replica, run: Run, cluster: Cluster
) -> None:
    await replica.tokens()
    cluster.kube.delete(secrets_path(cluster.names.release, cluster.names.key_ring))
    said = await run("list")
    assert "The sign-ins are not verified" in said
    assert "has no key ring" in said
    [one] = json.loads((await run("list", "-o", "json")).partition("The sign-ins")[0])
    assert one["check"] == "unverified"
    assert "Ended 1 sign-in." in await run("revoke", "--all", "--yes")
    assert stored(cluster) == []


@pytest.mark.attack("R-09")
async def test_a_record_that_no_gateway_wrote_is_shown_as_such(
    replica: Replica, run: Run, cluster: Cluster
) -> None:
    await replica.tokens()
    [record] = await records(replica.store)
    await replica.store.update(replace(record, data={**record.data, "user": b"acme-users/ben"}))
    [one] = json.loads(await run("list", "-o", "json"))
    assert one["check"] == "tampered"
    assert "tampered" in await run("list")
    assert "Ended 1 sign-in." in await run("revoke", record.name, "--yes")
    assert stored(cluster) == []


async def test_show_names_what_was_allowed_and_no_secret(replica: Replica, run: Run) -> None:
    tokens = await replica.tokens()
    [record] = await records(replica.store)
    said = await run("show", record.name)
    assert "productive:read productive:write" in said
    for secret_text in (tokens.access_token, tokens.refresh_token, record.data["salt"].decode()):
        assert secret_text not in said
    assert "there is no sign-in" in await run("show", "g-unknown", code=2)


async def test_revoked_sign_ins_are_refused_and_others_are_not(
    cluster: Cluster, replica: Replica, run: Run
) -> None:
    mine, code = await replica.tokens(), await replica.code()
    bens = await ben_signs_in(replica)
    async with replica.watching():
        assert "add --yes" in await run("revoke", "--user", "ana", code=2)
        assert not await replica.refuses(mine.access_token)
        assert "Ended 2 sign-ins." in await run("revoke", "--user", "ana", "--yes")
        await eventually(lambda: replica.refuses(mine.access_token), what="the token is refused")
        assert not await replica.refuses(bens.access_token)
        with pytest.raises(Exception, match="no longer valid"):
            await replica.refresh(mine.refresh_token)
        with pytest.raises(Exception, match="no longer valid"):
            await replica.redeem(code)
        await replica.refresh(bens.refresh_token)
    assert sorted(stored(cluster)) == ["active", "gone", "gone"]
    assert "nothing was changed" in await run("revoke", "--user", "ana", "--yes", code=1)
    assert "--all alone" in await run("revoke", "--yes", code=2)
    assert "--all alone" in await run("revoke", "--all", "--user", "ben", "--yes", code=2)


async def test_a_name_that_does_not_exist_is_reported_though_another_one_is_ended(
    replica: Replica, run: Run
) -> None:
    await replica.tokens()
    [record] = await records(replica.store)
    said = await run("revoke", record.name, "g-mistyped", "--yes", code=1)
    assert "Ended 1 sign-in." in said
    assert "No sign-in that matches has the name: g-mistyped." in said


@pytest.mark.attack("R-04")
async def test_the_replica_that_sweeps_a_revoked_sign_in_audits_it_once(
    replica: Replica, run: Run, cluster: Cluster
) -> None:
    await replica.tokens()
    [record] = await records(replica.store)
    await run("revoke", "--all", "--yes")
    later = HeldClock(system_clock() + DAY / 2)
    replicas = [replica.another(clock=later) for _ in range(3)]
    with audit_log() as log:
        swept = await asyncio.gather(*(_sweeper(one).sweep() for one in replicas))
    assert sum(swept) == 1
    [line] = [line for line in log.lines if line["event"] == "grant_ended"]
    assert (line["reason"], line["grant"]) == ("revoked_by_administrator", record.name)
    assert stored(cluster) == []


@pytest.mark.refused("rotation")
async def test_an_account_without_rights_is_told_which_one_it_lacks(
    cluster: Cluster, run: Run
) -> None:
    said = await run("list", kubeconfig=cluster.kubeconfig("rotation"), code=2)
    assert f"no right to list the Secrets of {cluster.names.grants}" in said


async def test_labels_of_sign_ins_are_columns_for_kubectl(
    cluster: Cluster, replica: Replica
) -> None:
    await replica.tokens()
    wanted = (LABEL_USER, LABEL_CLIENT, LABEL_STATE, LABEL_EXPIRES_DAY)
    [item] = cluster.kube.items(
        secrets_path(cluster.names.grants),
        fieldSelector=f"type={GRANT_TYPE}",
        labelSelector=f"{LABEL_USER}=ana,{LABEL_STATE}=active",
    )
    labels = item["metadata"]["labels"]
    assert [labels[name] for name in wanted[:3]] == ["ana", client_hash(CLIENT)[:20], "active"]
    assert labels[LABEL_EXPIRES_DAY].isdecimal()


def _sweeper(replica: Replica) -> Sweeper:
    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    return Sweeper(
        replica.store,
        replica.people,
        replica.keys,
        replica.config,
        clock=replica.clock,
        pause=no_pause,
    )
