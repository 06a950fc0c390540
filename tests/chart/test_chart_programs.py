"""What the chart tells the programs is what they understand; `helm test`, alerts and notes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path

import certifi
import pytest
import yaml

from harness.deployment import Deployment
from harness.helm import CHART, Helm, nested
from harness.processes import free_port
from productive_gateway.grants.grant import Cause
from productive_gateway.oauth.clients.redirect_policy import Obstacle
from productive_gateway.oauth.clients.redirect_uri import parse_redirect_uri
from productive_gateway.observability import metrics as gateway_metrics
from productive_gateway.observability.audit import Event
from productive_gateway.settings import load_settings
from productive_operator import metrics as operator_metrics
from productive_operator.settings import Settings as OperatorSettings

VARIANTS = sorted((Path(__file__).parent / "variants").glob("*.yaml"))
CRDS = CHART.parents[1] / "crds"
ALERTS = CHART / "files" / "alerts.yaml"
DASHBOARD = CHART / "files" / "dashboard.json"
METRIC = re.compile(r"\b(?:productive_(?:mcp|operator)|mcp_server|http_client|process)_\w+")

FIRST_EVENT = re.compile(
    r"increase\((productive_(mcp|operator)_\w+)\{([^}]*)\}\[\w+\]\)\) > 0$", re.MULTILINE
)
"""A counter of which already the first event fires an alert."""


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda path: path.stem)
def test_both_programs_accept_the_settings_of_the_chart(
    helm: Helm, variant: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered = helm.render(yaml.safe_load(variant.read_text()))
    gateway = rendered.environment("gateway")
    if "CA_BUNDLE" in gateway:
        gateway["CA_BUNDLE"] = certifi.where()
    if "PREREGISTERED_CLIENTS" in gateway:
        gateway["PREREGISTERED_CLIENTS"] = "[]"
    assert load_settings(gateway).local is False
    operator = rendered.environment("operator")
    for name, value in operator.items():
        monkeypatch.setenv(name, value)
    assert OperatorSettings.load(operator).mapping_secret == gateway["MAPPING_SECRET"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://claude.ai/api/mcp/auth_callback",
        "https://claude.com/api/mcp/auth_callback",
        "https://chatgpt.com/connector_platform_oauth_redirect",
        "https://chatgpt.com/connector/oauth/Zk9dPq3A",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
        "https://vscode.dev/redirect",
        "https://insiders.vscode.dev/redirect",
    ],
)
def test_the_known_assistants_may_be_connected_without_a_setting(helm: Helm, uri: str) -> None:
    settings = load_settings(helm.render().environment("gateway"))
    assert settings.redirects.obstacle(parse_redirect_uri(uri)) is None


@pytest.mark.attack("B-07")
@pytest.mark.parametrize(
    "uri", ["cursor://anysphere.cursor-mcp/oauth/callback/more", "cursor://other/cb", "vscode:/cb"]
)
def test_other_private_use_addresses_are_refused(helm: Helm, uri: str) -> None:
    settings = load_settings(helm.render().environment("gateway"))
    assert settings.redirects.obstacle(parse_redirect_uri(uri)) is Obstacle.PRIVATE_USE


@pytest.mark.parametrize(
    "uri",
    [
        "https://claude.ai.evil.example/api/mcp/auth_callback",
        "https://claude.ai/redirect?to=https://evil.example/",
        "https://claude.ai/api/mcp/auth_callback?to=https://evil.example/",
        "https://chatgpt.com/share/1",
        "https://chatgpt.com/connector/oauth/Zk9dPq3A?to=https://evil.example/",
        "https://vscode.dev/redirect/elsewhere",
        "https://www.cursor.com/",
    ],
)
def test_other_addresses_are_refused_also_on_the_hosts_of_assistants(helm: Helm, uri: str) -> None:
    settings = load_settings(helm.render().environment("gateway"))
    assert settings.redirects.obstacle(parse_redirect_uri(uri)) is Obstacle.ADDRESS


def test_no_secret_is_in_a_manifest(helm: Helm) -> None:
    """They are read from Secrets that somebody else made."""
    rendered = helm.render(nested("admissionPolicies.enabled", True))
    assert [one for one in rendered.of("Secret") if "data" in one or "stringData" in one] == []
    variables = rendered.environment("gateway")
    assert variables["OIDC_CLIENT_SECRET"] == "productive-sign-in/client-secret"


def test_the_crds_of_the_chart_are_those_of_the_repository() -> None:
    theirs = {path.name: path.read_text() for path in CRDS.glob("*.yaml")}
    ours = {path.name: path.read_text() for path in (CHART / "files" / "crds").glob("*.yaml")}
    assert ours == theirs, "run cp crds/*.yaml charts/productive-mcp/files/crds/"


def test_the_crd_is_installed_as_it_is(helm: Helm) -> None:
    [source] = [yaml.safe_load(path.read_text()) for path in CRDS.glob("*.yaml")]
    [installed] = helm.render().of("CustomResourceDefinition")
    assert installed["spec"] == source["spec"]


@pytest.mark.parametrize("file", [ALERTS, DASHBOARD], ids=lambda path: path.stem)
def test_alerts_and_dashboard_use_metrics_that_exist(file: Path) -> None:
    asked = set(METRIC.findall(file.read_text()))
    assert asked
    assert asked <= _metrics().keys()


@pytest.mark.parametrize("file", [ALERTS, DASHBOARD], ids=lambda path: path.stem)
def test_alerts_and_dashboard_use_labels_that_exist(file: Path) -> None:
    for expression in _expressions(file):
        known = {"namespace", "pod", "le", "alertname", "alertstate"}
        known |= {label for name in METRIC.findall(expression) for label in _metrics()[name]}
        matched = re.findall(r"(\w+)\s*(?:=~|!~|=|!=)\s*\"", expression)
        grouped = re.findall(r"by \(([^)]*)\)", expression)
        asked = {*matched, *(one.strip() for group in grouped for one in group.split(","))}
        assert asked <= known, expression


def test_every_panel_of_the_dashboard_selects_the_namespace() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    variables = {one["name"] for one in dashboard["templating"]["list"]}
    assert variables == {"datasource", "namespace"}
    panels = [one for one in dashboard["panels"] if one["type"] != "row"]
    assert len({one["id"] for one in dashboard["panels"]}) == len(dashboard["panels"])
    for expression in _expressions(DASHBOARD):
        if METRIC.search(expression) and "label_values" not in expression:
            assert expression.count('namespace="$namespace"') == len(METRIC.findall(expression))
    assert all(panel["targets"] for panel in panels)


def test_the_dashboard_is_rendered_as_it_is(helm: Helm) -> None:
    rendered = helm.render(nested("metrics.dashboard.enabled", True))
    data = rendered.get("ConfigMap", "productive-dashboard")["data"]
    assert json.loads(data["productive-mcp.json"]) == json.loads(DASHBOARD.read_text())


def test_alerts_use_events_that_exist() -> None:
    asked = set(re.findall(r'event="(\w+)"', ALERTS.read_text()))
    assert asked <= {event.value for event in Event}


def test_counters_in_alerts_exist_before_the_first_event() -> None:
    """A series that is born at 1 has an increase of 0: the first event would go unnoticed."""
    exposed = {program: _exposed(program) for program in STARTED}
    counted = FIRST_EVENT.findall(_alerts())
    assert counted
    for metric, program, matchers in counted:
        wanted = dict(re.findall(r'(\w+)=~?"([^"]*)"', matchers))
        wanted.pop("namespace")
        for values in product(*(value.split("|") for value in wanted.values())):
            labels = dict(zip(wanted, values, strict=True))
            assert _at_zero(exposed[program], metric, labels), f"{metric}{labels}"


def test_alerted_events_start_at_zero_with_their_reason() -> None:
    exposed = _exposed("mcp")
    for labels in (
        {"event": Event.RECORD_TAMPERED.value, "reason": ""},
        {"event": Event.REFRESH_REUSE.value, "reason": Cause.REFRESH_REUSE.value},
        {"event": Event.CODE_REPLAY.value, "reason": Cause.CODE_REPLAY.value},
    ):
        assert _at_zero(exposed, "productive_mcp_audit_events_total", labels), labels


def test_alerts_are_of_this_release_only(helm: Helm) -> None:
    rendered = helm.render(nested("metrics.prometheusRule.enabled", True), namespace="elsewhere")
    rules = rendered.of("PrometheusRule")[0]["spec"]["groups"][0]["rules"]
    assert all('namespace="elsewhere"' in rule["expr"] for rule in rules)
    assert not re.search(r"\b(NAMESPACE|RELEASE|GRANTS_QUOTA)\b", yaml.safe_dump(rules))


@pytest.mark.attack("R-10")
def test_the_quota_of_grants_is_alarmed_at_four_fifths(helm: Helm) -> None:
    monitored = nested("metrics.prometheusRule.enabled", True)

    def expression(quota: int) -> str | None:
        values = monitored | nested("namespaces.grantsQuota", quota)
        rules = helm.render(values).of("PrometheusRule")[0]["spec"]["groups"][0]["rules"]
        found = [one for one in rules if one["alert"] == "ProductiveMcpGrantsNearlyFull"]
        return found[0]["expr"] if found else None

    limited = expression(500)
    assert limited is not None
    assert limited.endswith("> 0.8 * 500")
    assert expression(0) is None


def test_helm_test_passes_for_a_working_gateway(helm: Helm, deployment: Deployment) -> None:
    service = f"http://127.0.0.1:{deployment.port}"
    done = _installed(helm, gateway=service, public_url=deployment.url)
    assert (done.returncode, done.stderr) == (0, "")


def test_helm_test_fails_for_another_public_url(helm: Helm, deployment: Deployment) -> None:
    done = _installed(helm, gateway=deployment.url, public_url="https://mcp.example.com")
    assert done.returncode == 1
    assert f"calls itself {deployment.url}/mcp, not https://mcp.example.com/mcp" in done.stderr


def test_helm_test_reports_that_nothing_answers(helm: Helm) -> None:
    gateway = f"http://127.0.0.1:{free_port()}"
    done = _installed(helm, gateway=gateway, public_url="https://mcp.example.com")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{gateway} does not answer: ")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}"])
def test_helm_test_fails_with_one_line_when_something_else_answers(helm: Helm, body: bytes) -> None:
    with _answering(body) as port:
        gateway = f"http://127.0.0.1:{port}"
        done = _installed(helm, gateway=gateway, public_url="https://mcp.example.com")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert "/.well-known/oauth-protected-resource/mcp" in line


def test_notes_list_the_next_three_steps(helm: Helm) -> None:
    notes = helm.notes()
    for step in (
        "https://mcp.example.com/callback",
        "helm test productive -n productive",
        "--type=productive-mcp.dev/token",
        "kubectl get pu -n productive-users",
        "https://mcp.example.com/mcp",
    ):
        assert step in notes


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ({}, "encrypts Secrets at rest"),
        ({}, "The gateway cannot be reached from outside"),
        ({}, "set networkPolicy.ingressFrom"),
        ({}, "admissionPolicies.enabled restricts that to the operator"),
        ({}, "adminContact is empty"),
        ({}, "Limits per address are off"),
        (
            {"ingress": {"enabled": True, "tls": {"enabled": False}}},
            "The Ingress has no TLS",
        ),
        (nested("service.type", "LoadBalancer"), "The Service is a LoadBalancer"),
        (nested("gateway.replicas", 1), "The gateway has one replica"),
        (nested("gateway.podDisruptionBudget.enabled", False), "There is no PodDisruptionBudget"),
        (nested("networkPolicy.enabled", False), "There is no NetworkPolicy"),
        ({}, "can reach any address on 6443"),
        (nested("signIn.emailTrust", "issuer"), "without signIn.requiredClaims"),
    ],
)
def test_notes_warn_of_weaknesses(helm: Helm, values: dict[str, object], warning: str) -> None:
    assert warning in helm.notes(values)


def test_notes_do_not_warn_of_what_is_fixed(helm: Helm) -> None:
    notes = helm.notes(
        {
            "ingress": {"enabled": True},
            "networkPolicy": {
                "ingressFrom": [{"namespaceSelector": {}}],
                "apiServer": {"addresses": ["10.96.0.1"]},
            },
            "admissionPolicies": {"enabled": True},
            "adminContact": "#help",
            "limits": {"trustedProxies": ["10.42.0.0/16"]},
        }
    )
    weak = notes.partition("Weaknesses of this installation:\n")[2].partition("\n\n")[0]
    assert [line[:32] for line in weak.splitlines()] == ["  - People's tokens are Secrets:"]


@contextmanager
def _answering(body: bytes) -> Iterator[int]:
    """Answer every GET with this body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def _metrics() -> dict[str, tuple[str, ...]]:
    """Return the names of all series of both programs, each with its labels."""
    registries = (gateway_metrics.REGISTRY, operator_metrics.REGISTRY)
    declared = {
        name: getattr(collector, "_labelnames", ())
        for registry in registries
        for collector, names in registry._collector_to_names.items()
        for name in names
    }
    # Collectors of prometheus_client itself declare nothing.
    found = {
        sample.name: tuple(sample.labels)
        for registry in registries
        for family in registry.collect()
        for sample in family.samples
    }
    return declared | found


def _expressions(file: Path) -> list[str]:
    """Return the PromQL in a file of alerts or of a dashboard."""
    if file == ALERTS:
        return [rule["expr"] for rule in yaml.safe_load(file.read_text())["rules"]]
    panels = json.loads(file.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


STARTED = {
    "mcp": "import productive_gateway.observability.audit",
    "operator": "from productive_operator.watches import Watches; Watches()",
}
"""What a program does at its start with the counters that its alerts read."""
EXPOSE = """
import sys
{started}
from prometheus_client import generate_latest
for name in sorted(sys.modules):
    if name.startswith("productive_") and name.endswith("metrics"):
        print(generate_latest(sys.modules[name].REGISTRY).decode())
"""


def _exposed(program: str) -> str:
    """Return the metrics of a program that has only just started."""
    command = [sys.executable, "-c", EXPOSE.format(started=STARTED[program])]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _alerts() -> str:
    return "\n".join(_expressions(ALERTS))


def _at_zero(exposed: str, metric: str, labels: dict[str, str]) -> bool:
    samples = re.findall(rf"^{metric}(?:\{{(.*)\}})? (\S+)$", exposed, re.MULTILINE)
    found = [(dict(re.findall(r'(\w+)="([^"]*)"', text)), value) for text, value in samples]
    return any(labels.items() <= own.items() and float(value) == 0 for own, value in found)


def _installed(helm: Helm, *, gateway: str, public_url: str) -> subprocess.CompletedProcess[str]:
    """Run what the pod of `helm test` runs."""
    pod = helm.render().get("Pod", "productive-test")
    [container] = pod["spec"]["containers"]
    interpreter, *arguments = container["command"]
    assert interpreter == "python"
    return subprocess.run(
        [sys.executable, *arguments],
        check=False,
        env={"GATEWAY": gateway, "PUBLIC_URL": public_url},
        capture_output=True,
        text=True,
    )
