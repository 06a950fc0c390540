"""A development installation fits together, and nobody else can reach it; with skaffold.yaml."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.helm import CHART, Helm, HelmRefused, Rendered, at, nested
from harness.processes import free_port
from productive_dev.cli import _parser
from productive_dev.idp.config import IdpConfig
from productive_dev.local.people import STRANGER
from productive_dev.simulator.app import BASE_PATH
from productive_gateway.settings import load_settings

TOP = CHART.parents[1]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values-dev.yaml").read_text())
ACCESS = {
    "clientId": "c",
    "authorizationUrl": "https://team.example.com/authorization",
    "tokenUrl": "https://team.example.com/token",
    "jwksUrl": "https://team.example.com/jwks",
}


@pytest.fixture(scope="module")
def rendered(helm: Helm) -> Rendered:
    return helm.render(VALUES, bare=True)


def test_the_gateway_listens_inside_its_pod_only(rendered: Rendered) -> None:
    settings = load_settings(rendered.environment("gateway"))
    assert settings.local
    assert settings.hosts == ("127.0.0.1", "::1")


def test_the_gateway_is_told_what_the_containers_beside_it_are(rendered: Rendered) -> None:
    settings = load_settings(rendered.environment("gateway"))
    idp = _started(_containers(rendered)["identity-provider"])
    config = IdpConfig(idp.origin, idp.client_id, "", tuple(idp.redirect_uri))
    assert settings.oidc_issuer == config.issuer
    assert settings.oidc_client_id == config.client_id
    assert config.redirect_uris == (settings.callback_url,)
    assert idp.origin == f"http://localhost:{idp.port}"
    simulator = _started(_containers(rendered)["simulator"])
    assert settings.productive_api_base_url == f"http://localhost:{simulator.port}{BASE_PATH}"
    [secret] = [
        one["valueFrom"]["secretKeyRef"]
        for one in _containers(rendered)["identity-provider"]["env"]
    ]
    told = rendered.environment("gateway")["OIDC_CLIENT_SECRET"]
    assert told == f"{secret['name']}/{secret['key']}"
    assert secret["key"] in rendered.get("Secret", secret["name"])["stringData"]


def test_the_sign_in_offers_the_people_of_the_examples(rendered: Rendered) -> None:
    idp = _started(_containers(rendered)["identity-provider"])
    people = [one["spec"]["email"] for one in _examples() if one["kind"] == "ProductiveUser"]
    assert idp.user == [*people, STRANGER.email]


def test_nothing_takes_copied_sources_away(rendered: Rendered) -> None:
    """A container that starts anew has those of its image again."""
    for pod in ("gateway", "operator"):
        for container in _pod(rendered, pod)["containers"]:
            assert not {"livenessProbe", "startupProbe"} & container.keys()
            assert container["command"][:2] == ["productive-dev", "reload"]
            assert not container["securityContext"].get("readOnlyRootFilesystem")


def test_each_program_starts_anew_for_its_own_sources(rendered: Rendered) -> None:
    watched = {
        name: [word for word in container["command"] if word.startswith("--watch")]
        for pod in ("gateway", "operator")
        for name, container in _containers(rendered, pod).items()
    }
    assert watched == {
        "gateway": ["--watch=/src/contract/src", "--watch=/src/gateway/src"],
        "identity-provider": ["--watch=/src/dev/src"],
        "simulator": ["--watch=/src/dev/src"],
        "operator": ["--watch=/src/contract/src", "--watch=/src/operator/src"],
    }
    assert all(
        (TOP / word.partition("/src/")[2]).is_dir() for one in watched.values() for word in one
    )


def test_readiness_probe_asks_the_address_of_the_gateway(rendered: Rendered) -> None:
    probe = _containers(rendered)["gateway"]["readinessProbe"]
    port = rendered.environment("gateway")["INTERNAL_PORT"]
    assert f"http://127.0.0.1:{port}/readyz" in probe["exec"]["command"][-1]
    assert "httpGet" not in probe


def test_probes_use_http_where_kubelet_reaches_the_port(rendered: Rendered) -> None:
    by_command = [
        (pod, probe)
        for pod in ("gateway", "operator")
        for container in _pod(rendered, pod)["containers"]
        for probe in ("livenessProbe", "readinessProbe", "startupProbe")
        if "exec" in container.get(probe, {})
    ]
    assert by_command == [("gateway", "readinessProbe")]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (None, "not ready: <urlopen error [Errno 111] Connection refused>"),
        (503, "not ready: HTTP Error 503: Service Unavailable"),
    ],
)
def test_failing_probe_prints_one_line(rendered: Rendered, status: int | None, said: str) -> None:
    with _answering(status) as port:
        done = _probed(rendered, port)
    assert done.returncode == 1
    assert (done.stdout, done.stderr) == ("", f"{said}\n")


def test_successful_probe_prints_nothing(rendered: Rendered) -> None:
    with _answering(200) as port:
        done = _probed(rendered, port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_nothing_leads_there_from_outside(rendered: Rendered) -> None:
    assert not {"Ingress", "HTTPRoute", "Pod"} & {one["kind"] for one in rendered.objects}
    [service] = rendered.of("Service")
    assert service["spec"]["type"] == "ClusterIP"


def test_the_released_chart_has_no_values_of_it(helm: Helm, tmp_path: Path) -> None:
    with tarfile.open(helm.package(tmp_path)) as archive:
        names = {Path(name).name for name in archive.getnames()}
    assert "values.yaml" in names
    assert "values-dev.yaml" not in names


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            nested("publicUrl", "https://mcp.example.com"),
            "so publicUrl must be an address",
        ),
        (
            nested("publicUrl", "https://localhost:8787"),
            "so publicUrl must be an address",
        ),
        (nested("publicUrl", ""), "publicUrl is missing"),
        (
            nested("signIn.oidc.issuer", "https://idp.example.com"),
            "so signIn.oidc.issuer must be an address",
        ),
        (
            nested("signIn.oidc.issuer", "http://localhost.example.com:9400/"),
            "so signIn.oidc.issuer must be an address",
        ),
        (
            nested("productive.apiBaseUrl", "https://api.productive.io/api/v2"),
            "so productive.apiBaseUrl must be an address",
        ),
        (
            {"signIn": {"oidc": {"issuer": "", "clientId": ""}, "access": ACCESS}},
            "signIn.access is a sign-in of real people",
        ),
        (nested("ingress.enabled", True), "ingress, httpRoute and service.type must not"),
        (
            nested("httpRoute", {"enabled": True, "parentRefs": [{"name": "public"}]}),
            "ingress, httpRoute and service.type must not",
        ),
        (
            nested("service.type", "NodePort"),
            "ingress, httpRoute and service.type must not",
        ),
        (nested("networkPolicy.enabled", False), "networkPolicy.enabled must be on"),
        (
            nested(
                "operator.extraContainers",
                [{"name": "idp", "command": ["productive-dev", "idp", "--beyond-loopback"]}],
            ),
            "remove --beyond-loopback from the container idp",
        ),
        (nested("gateway.replicas", 2), "allows one replica of the gateway"),
        (nested("gateway.autoscaling.enabled", True), "allows one replica of the gateway"),
        (nested("development.enabled", False), "must be https, a host name in lower case"),
    ],
)
def test_what_would_let_real_people_in_is_refused(
    helm: Helm, tmp_path: Path, values: dict[str, Any], sentence: str
) -> None:
    below = f"--values={CHART / 'values-dev.yaml'}"
    above = tmp_path / "values.yaml"
    above.write_text(yaml.safe_dump(values))
    with pytest.raises(HelmRefused) as refused:
        helm.render(None, below, f"--values={above}", bare=True)
    assert sentence in str(refused.value)


def test_image_tags_that_are_written_out_are_the_version_of_the_programs() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"]
    places = [CHART / "values-dev.yaml", TOP / "docs" / "install.md", *TOP.glob("tests/e2e/**/*")]
    places += TOP.glob("tests/harness/*.py")
    texts = [place.read_text() for place in places if place.is_file()]
    tags = re.findall(r"productive-mcp-(?:gateway|operator|dev):([\w.]+)", "".join(texts))
    assert len(tags) > 3
    assert set(tags) == {version}


def test_the_notes_warn_and_say_how_to_get_there(helm: Helm) -> None:
    notes = helm.notes(VALUES)
    for text in (
        "everybody who reaches it can sign in as anybody",
        "kubectl port-forward -n productive deploy/productive-gateway 8787 9400 9500",
        "kubectl apply -n productive-users -f examples/",
        "http://localhost:8787/mcp",
    ):
        assert text in notes
    assert "helm test" not in notes


def test_skaffold_forwards_the_ports_that_the_addresses_name(rendered: Rendered) -> None:
    forwarded = _skaffold()["portForward"]
    urls = (
        rendered.environment("gateway")[name]
        for name in ("PUBLIC_URL", "OIDC_ISSUER", "PRODUCTIVE_API_BASE_URL")
    )
    ports = [int(re.findall(r":(\d+)", url)[0]) for url in urls]
    assert [one["port"] for one in forwarded] == [one["localPort"] for one in forwarded] == ports
    [release] = _releases()
    assert {(one["namespace"], one["resourceName"]) for one in forwarded} == {
        (release["namespace"], f"{release['name']}-gateway")
    }


def test_skaffold_sets_the_image_of_every_container(helm: Helm) -> None:
    [release] = _releases()
    settings = [
        f"--set={path}={template}" for path, template in release["setValueTemplates"].items()
    ]
    told = [re.sub(r"\{\{\.IMAGE_(\w+?)_productive_mcp_dev\}\}", r"\1", one) for one in settings]
    found = helm.render(VALUES, *told, bare=True)
    containers = [one for pod in found.pods().values() for one in pod["spec"]["containers"]]
    assert {one["image"] for one in containers} == {"REPO:TAG"}


def test_skaffold_copies_what_is_watched() -> None:
    [artifact] = _skaffold()["build"]["artifacts"]
    assert artifact["docker"]["target"] == "dev"
    copied = {one["src"]: one["dest"] for one in artifact["sync"]["manual"]}
    for member in ("contract", "dev", "gateway", "kube", "operator"):
        assert copied[f"{member}/src/**"] == "/src"


@pytest.mark.parametrize("context", ["production", "gke_kind-of-blue", ""])
def test_skaffold_deploys_nowhere_but_to_kind(context: str) -> None:
    done = _before_deploying(context)
    assert done.returncode == 1
    assert "is no kind cluster" in done.stderr


def test_skaffold_deploys_to_kind() -> None:
    assert _before_deploying("kind-kind").returncode == 0


def _probed(rendered: Rendered, port: int) -> subprocess.CompletedProcess[str]:
    """Run the gateway's probe against another port."""
    interpreter, *options = _containers(rendered)["gateway"]["readinessProbe"]["exec"]["command"]
    assert interpreter == "python"
    told = [one.replace(":9090/", f":{port}/") for one in options]
    return subprocess.run([sys.executable, *told], check=False, capture_output=True, text=True)


@contextmanager
def _answering(status: int | None) -> Iterator[int]:
    """Answer every GET with this status; None is a port at which nobody listens."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status or 0)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    if status is None:
        yield free_port()
        return
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _before_deploying(context: str) -> subprocess.CompletedProcess[str]:
    [hook] = _skaffold()["deploy"]["helm"]["hooks"]["before"]
    env = {"SKAFFOLD_KUBE_CONTEXT": context, "PATH": "/usr/bin:/bin"}
    command = hook["host"]["command"]
    return subprocess.run(command, check=False, env=env, capture_output=True, text=True)


def _skaffold() -> Any:
    return yaml.safe_load((TOP / "skaffold.yaml").read_text())


def _releases() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = at(_skaffold(), "deploy.helm.releases")
    return found


def _examples() -> Iterator[Any]:
    for file in sorted((TOP / "examples").glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text())


def _pod(rendered: Rendered, program: str) -> Any:
    return rendered.get("Deployment", f"productive-{program}")["spec"]["template"]["spec"]


def _containers(rendered: Rendered, program: str = "gateway") -> dict[str, Any]:
    return {one["name"]: one for one in _pod(rendered, program)["containers"]}


def _started(container: dict[str, Any]) -> Any:
    """Return the options of the `productive-dev` that a container's reloader runs."""
    command = container["command"]
    program, *arguments = command[command.index("--") + 1 :]
    assert program == "productive-dev"
    return _parser().parse_args(arguments)
