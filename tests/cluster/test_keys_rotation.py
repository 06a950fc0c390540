"""`keys rotate`, `status` and `sign-everybody-out` over a real API server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cluster import Cluster
from harness.gatewayclient import gateway_client
from harness.kube import secret, secret_data, secrets_path
from productive_contract.clock import system_entropy
from productive_contract.names import KEY_RING_KEY, KEY_RING_TYPE
from productive_gateway.admin.errors import AdminError
from productive_gateway.admin.keys import RotateOptions, rotate_keys
from productive_gateway.cli import main
from productive_gateway.sealing.keys import KeyRing, encode_ring, new_ring, parse_ring
from productive_gateway.sealing.rotation import KEPT_SECONDS, SETTLED_AFTER

DAY = 86400.0
PLAIN = RotateOptions()

Run = Callable[..., str]


@pytest.fixture
def run(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs the program as an administrator, and returns its output."""

    def command(*arguments: str, kubeconfig: Path | None = None, code: int = 0) -> str:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig or cluster.kubeconfig()))
        ended = main([*arguments, "--namespace", cluster.names.release])
        said = capsys.readouterr()
        assert ended == code, said
        return said.out + said.err

    return command


def path(cluster: Cluster) -> str:
    return secrets_path(cluster.names.release, cluster.names.key_ring)


def make(cluster: Cluster, ring: KeyRing | None = None, **metadata: Any) -> KeyRing:
    """Store a ring, by default one with a key of 100 days ago."""
    ring = ring or new_ring(time.time() - 100 * DAY, system_entropy)
    body = secret(cluster.names.key_ring, {KEY_RING_KEY: encode_ring(ring)}, kind=KEY_RING_TYPE)
    body["metadata"] |= metadata
    cluster.kube.create(secrets_path(cluster.names.release), body)
    return ring


def stored(cluster: Cluster) -> KeyRing:
    return parse_ring(secret_data(cluster.kube.get(path(cluster)))[KEY_RING_KEY])


def age(cluster: Cluster, seconds: float) -> None:
    """Make every time in the ring earlier, as if the ring had been left alone for so long."""
    ring = stored(cluster)
    keys = tuple(
        replace(
            key,
            created=key.created - seconds,
            demoted=None if key.demoted is None else key.demoted - seconds,
        )
        for key in ring.keys
    )
    document = encode_ring(replace(ring, keys=keys))
    body = secret(cluster.names.key_ring, {KEY_RING_KEY: document}, kind=KEY_RING_TYPE)
    cluster.kube.replace(path(cluster), body)


@pytest.mark.attack("R-07", "O-07")
def test_the_schedule_takes_each_step_with_its_own_rights(cluster: Cluster, run: Run) -> None:
    old = make(cluster).current
    account = cluster.kubeconfig("rotation")
    arguments = ("keys", "rotate", "--name", cluster.names.key_ring, "--if-older-than", "90")

    assert "Added the key" in run(*arguments, kubeconfig=account)
    [_, new] = stored(cluster).keys
    assert stored(cluster).current == old
    before = cluster.kube.get(path(cluster))
    assert "too young to become current" in run(*arguments, kubeconfig=account)
    assert cluster.kube.get(path(cluster)) == before

    age(cluster, SETTLED_AFTER)
    assert f"Made the key {new.kid} current" in run(*arguments, kubeconfig=account)
    assert stored(cluster).current == new.kid
    assert "no rotation is due" in run(*arguments, kubeconfig=account)

    age(cluster, KEPT_SECONDS - 60)
    assert "Added the key" in run(*arguments, kubeconfig=account)
    assert stored(cluster).find(old) is not None
    age(cluster, SETTLED_AFTER)
    assert f"Removed the key {old}" in run(*arguments, kubeconfig=account)
    assert stored(cluster).find(old) is None
    assert stored(cluster).find(new.kid) is not None


@pytest.mark.attack("R-01")
@pytest.mark.refused("rotation")
def test_the_account_of_the_schedule_reaches_no_other_secret(cluster: Cluster, run: Run) -> None:
    make(cluster)
    cluster.kube.create(secrets_path(cluster.names.release), secret("other", {}))
    account = cluster.kubeconfig("rotation")
    said = run("keys", "rotate", "--name", "other", kubeconfig=account, code=2)
    assert "no right to get the Secret" in said
    said = run("keys", "rotate", kubeconfig=account, code=2)
    assert "no right to list the Secrets" in said


@pytest.mark.attack("R-07")
async def test_rotations_at_once_add_one_key(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    make(cluster)
    async with gateway_client(cluster.kubeconfig("rotation")) as api:
        ended = await asyncio.gather(
            *(rotate_keys(api, api.namespace, cluster.names.key_ring, PLAIN) for _ in range(5))
        )
    assert ended == [0] * 5
    said = capsys.readouterr().out
    assert said.count("Added the key") == 1
    assert said.count("too young") == 4
    assert len(stored(cluster).keys) == 2


@pytest.mark.attack("R-07")
async def test_a_clock_that_differs_from_the_api_servers_changes_nothing(cluster: Cluster) -> None:
    ring = make(cluster)
    async with gateway_client(cluster.kubeconfig("rotation")) as api:
        for skew in (-KEPT_SECONDS, -600, 600, KEPT_SECONDS):
            with pytest.raises(AdminError, match="Correct the clock"):
                await rotate_keys(
                    api,
                    api.namespace,
                    cluster.names.key_ring,
                    PLAIN,
                    clock=lambda skew=skew: time.time() + skew,  # type: ignore[misc]
                )
    assert stored(cluster) == ring


def test_an_administrator_need_not_name_the_only_key_ring(cluster: Cluster, run: Run) -> None:
    assert "has no key ring" in run("keys", "status", code=2)
    ring = make(cluster)
    assert ring.current in run("keys", "status")
    other = secret("second", {KEY_RING_KEY: encode_ring(ring)}, kind=KEY_RING_TYPE)
    cluster.kube.create(secrets_path(cluster.names.release), other)
    assert "choose one with --name" in run("keys", "status", code=2)
    assert "does not exist" in run("keys", "status", "--name", "third", code=2)


@pytest.mark.attack("Q-01")
def test_status_shows_roles_and_times_and_no_key(cluster: Cluster, run: Run) -> None:
    make(cluster)
    run("keys", "rotate")
    ring = stored(cluster)
    table = run("keys", "status")
    assert [line.split()[0] for line in table.splitlines()[:3]] == [
        "KEY",
        *(k.kid for k in ring.keys),
    ]
    assert "may become current from" in table
    assert "Epoch: 0." in table
    document = json.loads(run("keys", "status", "--output", "json"))
    assert [key["role"] for key in document["keys"]] == ["current", "waiting"]
    assert document["epoch"] == 0
    secrets = [key["secret"] for key in json.loads(encode_ring(ring))["keys"]]
    assert not [one for one in secrets if one in table + json.dumps(document)]


def test_dry_run_and_print_change_nothing(cluster: Cluster, run: Run) -> None:
    ring = make(cluster)
    assert "Add a new key" in run("keys", "rotate", "--dry-run")
    said = run("keys", "rotate", "--print")
    manifest = yaml.safe_load(said[: said.index("Add a new key")])
    assert manifest["metadata"]["name"] == cluster.names.key_ring
    printed = parse_ring(manifest["stringData"][KEY_RING_KEY].encode())
    assert printed.keys[0] == ring.keys[0]
    assert len(printed.keys) == 2
    assert stored(cluster) == ring


@pytest.mark.parametrize(
    ("metadata", "who"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "x"}}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "x"}}, "Flux"),
        (
            {
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "SealedSecret", "name": "keys", "uid": "1"}
                ]
            },
            "the SealedSecret keys",
        ),
    ],
    ids=["argo", "flux", "owner"],
)
def test_a_ring_that_somebody_else_manages_is_not_changed(
    cluster: Cluster, run: Run, metadata: dict[str, Any], who: str
) -> None:
    ring = make(cluster, **metadata)
    said = run("keys", "rotate", code=2)
    assert f"is managed by {who}" in said
    assert "keys rotate --print" in said
    assert who in run("keys", "status")
    assert stored(cluster) == ring
    assert "Add a new key" in run("keys", "rotate", "--print")


@pytest.mark.attack("R-08")
def test_signing_everybody_out_raises_the_epoch_once_it_is_confirmed(
    cluster: Cluster, run: Run
) -> None:
    ring = make(cluster)
    assert "add --yes" in run("keys", "sign-everybody-out", code=2)
    assert stored(cluster) == ring
    assert "is 1 now" in run("keys", "sign-everybody-out", "--yes")
    assert stored(cluster) == replace(ring, epoch=1)
