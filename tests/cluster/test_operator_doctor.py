"""The doctor on a real API server: a healthy installation, and each fault named alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cluster import Cluster
from harness.deployment import Deployment
from harness.faults import Answer
from harness.installed import make_objects
from harness.kube import USER_AGENT, Object, secret, secrets_path
from harness.processes import eventually
from harness.rights import new_account
from productive_kube.client import KubeClient
from productive_operator.doctor.examination import Examination
from productive_operator.doctor.fetching import Web, web_session
from productive_operator.doctor.installation import Installation, Provider, find_installation
from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.result import Outcome, Result

PROGRAM = Path(sys.executable).parent / "productive-operator"


@pytest.fixture
def installed(deployment: Deployment) -> Deployment:
    """The shared deployment, with the objects that the doctor finds it by."""
    make_objects(deployment)
    return deployment


@asynccontextmanager
async def examination(
    installed: Deployment,
    *,
    kubeconfig: Path | None = None,
    skew: float = 0.0,
    inside: bool = False,
    **changes: Any,
) -> AsyncIterator[list[Result]]:
    """Examine the deployment, or one that differs from it by `changes`."""
    names = installed.cluster.names
    connecting = KubeClient.connect(
        kubeconfig or installed.cluster.kubeconfig(), user_agent=USER_AGENT
    )
    async with await connecting as client, web_session() as session:
        reader = ClusterReader(client)
        found = await find_installation(
            reader,
            namespace=names.release,
            release=None,
            environment={
                "USERS_NAMESPACE": names.users,
                "MAPPING_SECRET": names.mapping,
                "INTERNAL_PORT": str(installed.operator_port),
            },
        )
        changed: Installation = replace(found, **changes)
        web = Web(session, lambda: time.time() + skew)
        yield await Examination(reader, web, changed, inside=inside).run()


async def faults(installed: Deployment, **changes: Any) -> list[Result]:
    """Return the results that are neither good nor unchecked."""
    async with examination(installed, **changes) as results:
        return [one for one in results if one.outcome in (Outcome.WARNING, Outcome.WRONG)]


def run(
    installed: Deployment, *arguments: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": str(installed.cluster.kubeconfig()),
        "PYTHONIOENCODING": "utf-8",
        **variables,
    }
    command = [PROGRAM, "doctor", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_nothing_is_wrong_with_a_working_installation(installed: Deployment) -> None:
    done = run(installed, "--namespace", installed.cluster.names.release)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    lines = done.stdout.splitlines()
    assert all(line.startswith("✓ ") for line in lines[:-2]), done.stdout
    for title in ("rights of the gateway", "propagation", "key ring", "challenge of /mcp"):
        assert any(line.startswith(f"✓ {title}: ") for line in lines), title
    ring = installed.cluster.kube.get(
        secrets_path(installed.cluster.names.release, installed.cluster.names.key_ring)
    )
    assert ring["data"]["keys.json"] not in done.stdout


def test_output_for_scripts_is_json(installed: Deployment) -> None:
    release = installed.cluster.names.release
    done = run(installed, "--namespace", release, "--output", "json", PYTHONIOENCODING="ascii")
    report = json.loads(done.stdout)
    assert report["exitStatus"] == done.returncode == 0
    assert {one["outcome"] for one in report["checks"]} == {"ok"}


def test_what_may_not_be_read_is_not_checked_and_no_failure(installed: Deployment) -> None:
    """The operator may read little: its own settings tell where."""
    names = installed.cluster.names
    done = run(
        installed,
        KUBECONFIG=str(installed.cluster.kubeconfig("operator")),
        USERS_NAMESPACE=names.users,
        MAPPING_SECRET=names.mapping,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "✓ rights of the operator: " in done.stdout
    assert f"- key ring: not checked: needs the right to list deployments in {names.release}" in (
        done.stdout
    )
    assert "✓ mapping: " in done.stdout


async def test_in_its_own_pod_the_operator_is_asked_directly(installed: Deployment) -> None:
    kubeconfig = installed.cluster.kubeconfig("operator")
    async with examination(installed, kubeconfig=kubeconfig, inside=True) as results:
        found = {one.title: one.outcome for one in results}
    assert found["replicas of the operator"] is Outcome.OK
    assert found["propagation"] is Outcome.NOT_CHECKED
    assert Outcome.WRONG not in found.values()


async def test_what_a_network_policy_may_hide_is_not_checked(installed: Deployment) -> None:
    away = {"provider": Provider(issuer="http://127.0.0.1:9"), "public_url": "http://127.0.0.1:9"}
    async with examination(installed, inside=True, **away) as results:
        found = {one.title: one for one in results}
    for title in ("provider's issuer", "public URL"):
        assert found[title].outcome is Outcome.NOT_CHECKED
        assert "cannot be reached" in found[title].words


def test_no_token_is_printed(installed: Deployment) -> None:
    kube, names = installed.cluster.kube, installed.cluster.names
    token = "canary-of-a-productive-token"
    installed.people.add("cara", email="cara@example.com", user_id=9104, token=token)
    try:
        for output in ("text", "json"):
            done = run(installed, "--namespace", names.release, "--output", output)
            assert done.returncode == 0, done.stdout
            assert token not in done.stdout + done.stderr
    finally:
        path = f"/apis/productive-mcp.dev/v1alpha1/namespaces/{names.users}/productiveusers/cara"
        kube.delete(path)


def test_an_unknown_place_is_explained(installed: Deployment) -> None:
    done = run(installed, "--namespace", installed.cluster.names.users)
    assert done.returncode == 2
    assert "--namespace and --release" in done.stderr
    assert done.stdout == ""


async def test_missing_crd_is_named(installed: Deployment, tmp_path: Path) -> None:
    proxy = installed.cluster.proxy()
    administrator = new_account(installed.cluster.plane, installed.cluster.names, "root")
    _bind_administrator(installed)
    kubeconfig = proxy.identity(administrator).write_kubeconfig(tmp_path / "root.kubeconfig")
    proxy.rule(
        lambda seen: "/customresourcedefinitions/" in seen.path, Answer(404, "NotFound"), times=None
    )
    [fault] = await faults(installed, kubeconfig=kubeconfig)
    assert (fault.title, fault.outcome) == ("ProductiveUsers", Outcome.WRONG)
    assert "kubectl apply --server-side -f crds/" in fault.remedy


async def test_missing_right_is_named(installed: Deployment, cluster: Cluster) -> None:
    """In another namespace the gateway may do nothing."""
    [fault] = await faults(installed, grants_namespace=cluster.names.grants)
    assert fault.title == "rights of the gateway"
    assert f"create secrets in {cluster.names.grants}" in fault.words
    assert "rbac.create" in fault.remedy


async def test_token_secret_of_another_type_is_named(installed: Deployment) -> None:
    kube, names = installed.cluster.kube, installed.cluster.names
    kube.create(secrets_path(names.users), secret("typed-token", {"token": b"canary-4711"}))
    installed.people.add("typed", email="typed@example.com", user_id=9104, token=None)
    try:
        [fault] = await faults(installed)
    finally:
        kube.delete(
            f"/apis/productive-mcp.dev/v1alpha1/namespaces/{names.users}/productiveusers/typed"
        )
        kube.delete(secrets_path(names.users, "typed-token"))
    assert (fault.title, fault.outcome) == ("token Secrets", Outcome.WRONG)
    assert "typed-token" in fault.words
    assert "--type=productive-mcp.dev/token" in fault.remedy
    assert "canary" not in str(fault)


async def test_person_who_is_not_ready_is_named(installed: Deployment) -> None:
    kube, names = installed.cluster.kube, installed.cluster.names
    installed.people.add("bare", email="bare@example.com", user_id=9104, token=None)
    try:
        [fault] = await faults(installed)
    finally:
        kube.delete(
            f"/apis/productive-mcp.dev/v1alpha1/namespaces/{names.users}/productiveusers/bare"
        )
    assert (fault.title, fault.outcome) == ("people", Outcome.WARNING)
    assert "1 TokenSecretNotFound" in fault.words
    assert fault.remedy.startswith("bare: ")


@pytest.mark.attack("R-10")
async def test_full_quota_is_named(installed: Deployment) -> None:
    kube, names = installed.cluster.kube, installed.cluster.names
    path = f"/api/v1/namespaces/{names.grants}/resourcequotas"
    # So far above what the tests create that it never holds one up.
    hard = {"count/secrets": "1000k"}
    quota = kube.create(
        path, {"kind": "ResourceQuota", "metadata": {"name": "g"}, "spec": {"hard": hard}}
    )
    found = []
    try:
        for used in ("799999", "800000"):
            quota["status"] = {"hard": hard, "used": {"count/secrets": used}}
            quota = kube.replace(f"{path}/g/status", quota)
            found.append(await faults(installed))
    finally:
        kube.delete(f"{path}/g")
    assert found[0] == []
    [fault] = found[1]
    assert (fault.title, fault.outcome) == ("room for sign-ins", Outcome.WARNING)
    assert "800000 of 1000000" in fault.words
    assert "namespaces.grantsQuota" in fault.remedy


async def test_broken_key_ring_is_named(installed: Deployment) -> None:
    kube, names = installed.cluster.kube, installed.cluster.names
    kube.create(secrets_path(names.release), secret("broken", {"keys.json": b'{"canary": 1}'}))
    # The rights are those on the ring that is in use.
    [fault] = [
        one
        for one in await faults(installed, key_ring=(names.release, "broken"))
        if one.title != "rights of the gateway"
    ]
    assert (fault.title, fault.outcome) == ("key ring", Outcome.WRONG)
    assert "canary" not in str(fault)
    assert "Restore the Secret" in fault.remedy


async def test_wrong_issuer_is_named(installed: Deployment) -> None:
    issuer = f"{installed.issuer}/"
    [fault] = await faults(installed, provider=Provider(issuer=issuer))
    assert (fault.title, fault.outcome) == ("provider's issuer", Outcome.WRONG)
    assert f"names the issuer {installed.issuer}, not {issuer}" in fault.words
    assert "OIDC_ISSUER" in fault.remedy


async def test_provider_that_is_away_is_named(installed: Deployment) -> None:
    [fault] = await faults(installed, provider=Provider(issuer="http://127.0.0.1:9"))
    assert fault.title == "provider's issuer"
    assert "cannot be reached" in fault.words


async def test_another_public_url_is_named(installed: Deployment) -> None:
    url = f"http://127.0.0.1:{installed.port}"
    found = await faults(installed, public_url=url)
    assert {one.title for one in found} == {
        "authorization server",
        "protected resource",
        "challenge of /mcp",
    }
    assert f"calls itself {installed.url}, not {url}" in found[0].words


async def test_skewed_clock_is_named(installed: Deployment) -> None:
    [fault] = await faults(installed, skew=45.0)
    assert (fault.title, fault.outcome) == ("clock of this machine", Outcome.WARNING)
    [fault] = await faults(installed, skew=-3600.0)
    assert (fault.title, fault.outcome) == ("clock of this machine", Outcome.WRONG)
    assert "NTP" in fault.remedy


async def test_replicas_that_did_not_take_the_mapping_are_named(
    installed: Deployment, cluster: Cluster
) -> None:
    """Another mapping, published a minute ago, of the same people's namespace."""
    names = installed.cluster.names
    document = {
        "version": 1,
        "revision": int((time.time() - 60) * 1000),
        "namespace": names.users,
        "users": {},
    }
    body = secret(
        names.mapping,
        {"users.json": json.dumps(document).encode()},
        kind="productive-mcp.dev/mapping",
    )
    cluster.kube.create(secrets_path(cluster.names.release), body)
    [fault] = await faults(installed, mapping=(cluster.names.release, names.mapping))
    assert (fault.title, fault.outcome) == ("propagation", Outcome.WRONG)
    assert "gateway-0, gateway-1" in fault.words


async def test_replica_that_cannot_be_asked_is_not_checked(installed: Deployment) -> None:
    async with examination(installed, release="elsewhere") as results:
        found = {one.title: one.outcome for one in results}
    assert found["replicas of the gateway"] is Outcome.WRONG
    assert found["propagation"] is Outcome.NOT_CHECKED


def _bind_administrator(installed: Deployment) -> None:
    """Give the account `root` every right: a proxy cannot pass on a client certificate."""
    release = installed.cluster.names.release
    subject = {"kind": "ServiceAccount", "name": "root", "namespace": release}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    binding: Object = {
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"root-of-{release}"},
        "roleRef": role,
        "subjects": [subject],
    }
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    installed.cluster.kube.create(path, binding)
    eventually(lambda: _may_everything(installed), what="the rights of root")


def _may_everything(installed: Deployment) -> bool:
    release = installed.cluster.names.release
    spec = {
        "user": f"system:serviceaccount:{release}:root",
        "resourceAttributes": {"verb": "*", "group": "*", "resource": "*"},
    }
    body = {"kind": "SubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "spec": spec}
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(installed.cluster.kube.create(path, body)["status"]["allowed"])
