"""Where the API server is: the pod's service account, or a kubeconfig that may be anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import certifi
import pytest
from aiohttp import web

from harness.kubestub import TOKEN, serving, write_kubeconfig
from productive_kube import credentials
from productive_kube.client import KubeClient
from productive_kube.errors import NoCluster, Unreachable

SERVER = "http://127.0.0.1:1"
PATH = "/api/v1/namespaces/x/secrets"


async def connect(kubeconfig: Path | None = None) -> KubeClient:
    return await KubeClient.connect(kubeconfig, user_agent="test")


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, content in (("token", "one\n"), ("namespace", "mine\n")):
        (tmp_path / name).write_text(content)
    shutil.copy(certifi.where(), tmp_path / "ca.crt")
    monkeypatch.setattr(credentials, "SERVICE_ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "1")
    return tmp_path


async def test_the_namespace_is_the_contexts_or_default(tmp_path: Path) -> None:
    for context, namespace in (("team", "team"), (None, "default")):
        async with await connect(write_kubeconfig(tmp_path, SERVER, namespace=context)) as api:
            assert api.namespace == namespace


async def test_the_kubeconfig_of_the_environment_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_kubeconfig(tmp_path, f"{SERVER}/prefix/", namespace="env")
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    async with await connect() as api:
        assert (api.namespace, api.server) == ("env", f"{SERVER}/prefix")


async def test_a_given_kubeconfig_wins_over_the_service_account(
    tmp_path: Path, service_account: Path
) -> None:
    async with await connect(write_kubeconfig(tmp_path, SERVER, namespace="given")) as api:
        assert (api.namespace, api.server) == ("given", SERVER)


async def test_in_a_pod_the_service_account_is_used(service_account: Path) -> None:
    async with await connect() as api:
        assert (api.namespace, api.server) == ("mine", "https://127.0.0.1:1")


async def test_the_service_account_token_is_read_for_each_request(
    service_account: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers.get("Authorization"))
        return web.json_response({"kind": "Secret"})

    async with serving(handle) as url, await connect() as api:
        api._client.configuration.host = url
        async with api.new_session() as session:
            for token in ("one", "two"):
                (service_account / "token").write_text(f"{token}\n")
                await api.get(PATH)
                async with session.get(f"{url}{PATH}") as answer:
                    assert answer.status == 200
    assert seen == ["Bearer one", "Bearer one", "Bearer two", "Bearer two"]


async def test_a_token_that_cannot_be_read_again_is_unreachable(service_account: Path) -> None:
    async with await connect() as api:
        (service_account / "token").unlink()
        with pytest.raises(Unreachable, match="FileNotFoundError"):
            await api.get(PATH)


@pytest.mark.parametrize(
    ("broken", "content"),
    [("ca.crt", None), ("ca.crt", ""), ("ca.crt", "no certificate"), ("namespace", None)],
)
async def test_a_broken_service_account_is_a_message(
    service_account: Path, broken: str, content: str | None
) -> None:
    (service_account / broken).unlink()
    if content is not None:
        (service_account / broken).write_text(content)
    with pytest.raises(NoCluster, match=r"mount a volume with token, ca\.crt and namespace"):
        await connect()


CLUSTERS = {"clusters": [{"name": "k", "cluster": {"server": SERVER}}]}
CONTEXTS = {"current-context": "c", "contexts": [{"name": "c", "context": {"cluster": "k"}}]}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{}",
        "[",
        "[]",
        "- clusters",
        "just text",
        "7",
        "\x00",
        "current-context: nope\n",
        json.dumps(CONTEXTS),
        json.dumps(CONTEXTS | {"clusters": [{"name": "k", "cluster": {}}]}),
        json.dumps(CONTEXTS | {"clusters": [{"name": "k"}]}),
        json.dumps(CONTEXTS | {"clusters": [{"cluster": {"server": SERVER}}, {}]}),
        json.dumps(CONTEXTS | {"clusters": {"k": {"server": SERVER}}}),
        json.dumps(CONTEXTS | {"clusters": "k"}),
        json.dumps(CLUSTERS | CONTEXTS | {"contexts": [{"name": "c", "context": "k"}]}),
        json.dumps(CLUSTERS | CONTEXTS | {"contexts": [{"name": "c", "context": {}}]}),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_a_message(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(content)
    with pytest.raises(NoCluster, match="set KUBECONFIG") as caught:
        await connect(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("server", [None, 7, "", "nonsense", "ftp://127.0.0.1", "https://"])
async def test_a_kubeconfig_whose_server_is_no_web_address_is_a_message(
    tmp_path: Path, server: object
) -> None:
    with pytest.raises(NoCluster, match="set KUBECONFIG") as caught:
        await connect(write_kubeconfig(tmp_path, server))
    assert TOKEN not in str(caught.value)


async def test_a_kubeconfig_whose_certificates_cannot_be_read_is_a_message(
    tmp_path: Path,
) -> None:
    path = write_kubeconfig(tmp_path, "https://127.0.0.1:1", authority=b"no certificate")
    with pytest.raises(NoCluster, match="set KUBECONFIG"):
        await connect(path)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "127.0.0.1:1", "", 7])
async def test_a_proxy_url_that_is_not_http_is_a_message(tmp_path: Path, proxy: object) -> None:
    path = write_kubeconfig(tmp_path, SERVER, cluster={"proxy-url": proxy})
    with pytest.raises(NoCluster, match="proxy-url"):
        await connect(path)


async def test_without_any_configuration_the_message_names_both_ways(tmp_path: Path) -> None:
    with pytest.raises(NoCluster, match=r"run in a pod .* or set KUBECONFIG"):
        await connect(tmp_path / "absent")
