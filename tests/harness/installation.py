"""The product in pods: one release on a kind cluster, and what stands around it.

    assistant, browser ── Envoy (Contour) ──┬── gateways ──┐
                                            ├── dev IdP ◄──┤ by the public address of
                                            └── simulator ◄┘ *.example.test

All of it is made by lines that an administrator would type. On the tests' side `*.example.test` is
the loopback address, where kind forwards 443 to Envoy; certificates are of an authority made here.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import yaml

from harness.certificates import Authority, key_fingerprint
from harness.kube import Object
from harness.sdkclient import Assistant
from harness.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "e2e"
REPORTS = ROOT / ".reports" / "e2e"
MCP = "https://mcp.example.test"
SIMULATOR = "https://productive.example.test"
HOSTS = ("mcp.example.test", "idp.example.test", "productive.example.test")
ANA = "ana.kovac@northlight.example"
MARKO = "marko.cavic@northlight.example"
NAMESPACES = ("productive", "productive-users", "productive-grants")
OUTSIDE = "outside"
"""Namespace of dev IdP and simulator."""
CHROMIUM = ("--host-resolver-rules=MAP *.example.test 127.0.0.1",)
READ_INTERNAL = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9090/{path}').read().decode())"
)

Values = dict[str, Any]


@contextmanager
def example_test_is_here() -> Iterator[None]:
    """Resolve `*.example.test` to the loopback address in this process."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        ours = isinstance(name, str) and name.endswith(".example.test")
        return resolve("127.0.0.1" if ours else host, *arguments, **options)

    with mock.patch("socket.getaddrinfo", resolved):
        yield


@dataclass
class Surroundings:
    """Names, certificates, provider and Productive, before anything of ours is installed."""

    terminal: Terminal
    folder: Path
    """Where certificates and values lie."""
    authority: Authority = field(default_factory=lambda: Authority("Tests of productive-mcp"))

    def __post_init__(self) -> None:
        pair = self.authority.server("example.test", hosts=HOSTS)
        # Chromium looks for the fingerprint in the chain that is sent to it.
        (self.folder / "tls.crt").write_bytes(pair.certificate)
        (self.folder / "tls.key").write_bytes(pair.key)
        (self.folder / "ca.crt").write_bytes(self.authority.certificate)
        self.trusted = ssl.create_default_context(cadata=self.authority.certificate.decode())
        known = f"--ignore-certificate-errors-spki-list={key_fingerprint(pair.certificate)}"
        self.chromium_flags = (*CHROMIUM, known)

    def prepare(self) -> None:
        """Take away what an earlier run left, and start provider and Productive."""
        self.forget()
        terminal = self.terminal
        terminal(f"kubectl create namespace {OUTSIDE}")
        self.certificate("outside-tls", OUTSIDE)
        self.certificate("example-test-tls", "projectcontour")
        terminal(f"kubectl apply -n {OUTSIDE} -f {HERE}/outside.yaml")
        for program in ("idp", "simulator"):
            terminal(f"kubectl rollout status -n {OUTSIDE} deploy/{program} --timeout=120s")

    def forget(self) -> None:
        """Take away everything that these tests make."""
        terminal, gone = self.terminal, "--ignore-not-found --timeout=120s"
        terminal.tried("helm uninstall productive -n productive --no-hooks --wait")
        terminal(f"kubectl delete namespace {' '.join(NAMESPACES)} {OUTSIDE} {gone}")
        terminal(f"kubectl delete crd productiveusers.productive-mcp.dev {gone}")
        terminal(f"kubectl delete secret example-test-tls -n projectcontour {gone}")

    def certificate(self, name: str, namespace: str) -> None:
        """Put the certificate of all three hosts into a Secret."""
        pair = f"--cert={self.folder}/tls.crt --key={self.folder}/tls.key"
        self.terminal(f"kubectl create secret tls {name} -n {namespace} {pair}")

    def ask(self, method: str, path: str, order: Any = None) -> Any:
        """Order or ask something of the simulator: see `productive_dev.simulator.control`."""
        with httpx.Client(verify=self.trusted, trust_env=False, timeout=30) as http:
            answer = http.request(method, f"{SIMULATOR}/__simulator/{path}", json=order)
        answer.raise_for_status()
        return answer.json()

    def entries(self) -> list[Object]:
        """Return all time entries of the simulator."""
        found: list[Object] = self.ask("GET", "time_entries")
        return found


class Installation:
    """The release `productive` in the namespace of that name."""

    def __init__(self, around: Surroundings) -> None:
        self.around = around
        self.terminal = around.terminal
        self.values: Values = yaml.safe_load((HERE / "values.yaml").read_text())
        self._file = around.folder / "values.yaml"

    def prepare(self) -> None:
        """Make what the chart does not: namespace, client secret, certificate, authority."""
        run = self.terminal
        enforced = "pod-security.kubernetes.io/enforce=restricted"
        secret = "dev-idp-secret-for-this-cluster-only"
        run("kubectl create namespace productive")
        run(f"kubectl label namespace productive {enforced}")
        run(
            "kubectl create secret generic productive-sign-in -n productive "
            f"--from-literal=client-secret={secret}"
        )
        run(
            "kubectl create configmap company-ca -n productive "
            f"--from-file={self.around.folder}/ca.crt"
        )
        self.around.certificate("productive-tls", "productive")

    def install(self) -> None:
        self._write(self.values)
        self.terminal(
            f"helm install productive charts/productive-mcp -n productive -f {self._file} --wait"
        )

    def upgrade(self, changes: Values) -> None:
        """Upgrade with changed values; they stay changed."""
        self.values = _merged(self.values, changes)
        self._write(self.values)
        self.terminal(
            f"helm upgrade productive charts/productive-mcp -n productive -f {self._file} --wait"
        )

    def pods(self, component: str) -> list[Object]:
        """Return the pods of a program that run and are not about to end."""
        label = f"app.kubernetes.io/component={component}"
        found = self.terminal.found(f"kubectl get pods -n productive -l {label} -o json")
        return [
            one
            for one in found["items"]
            if one["status"]["phase"] == "Running" and "deletionTimestamp" not in one["metadata"]
        ]

    def names(self, component: str) -> list[str]:
        return [one["metadata"]["name"] for one in self.pods(component)]

    def internal(self, pod: str, path: str) -> str:
        """Return what a gateway's internal port answers, asked from within the pod."""
        code = READ_INTERNAL.format(path=path)
        return self.terminal(f'kubectl exec -n productive {pod} -c gateway -- python -c "{code}"')

    def metrics(self, name: str) -> dict[str, float]:
        """Return the value of one metric at each gateway; `name` as it stands, labels included."""
        found = {}
        for pod in self.names("gateway"):
            lines = [line.rpartition(" ") for line in self.internal(pod, "metrics").splitlines()]
            found[pod] = next(float(value) for one, _, value in lines if one == name)
        return found

    def assistant(self, email: str, browser: Any, *, mode: Any = "auto") -> Assistant:
        """Return a new assistant of a person."""
        return Assistant(f"{MCP}/mcp", email, browser, mode=mode, trusted=self.around.trusted)

    def _write(self, values: Values) -> None:
        self._file.write_text(yaml.safe_dump(values))


class Figures:
    """What was measured, as one file; each figure is written as soon as it is known."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._figures: dict[str, Any] = {}

    def note(self, name: str, value: Any) -> None:
        self._figures[name] = value
        self._file.write_text(json.dumps(self._figures, indent=1) + "\n")


def _merged(below: Values, above: Values) -> Values:
    """Return values with changes, section by section."""
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        both = isinstance(known, dict) and isinstance(value, dict)
        merged[name] = _merged(known, value) if both else value  # type: ignore[arg-type]
    return merged
