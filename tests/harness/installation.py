"""The product in pods: one release on a kind cluster, and the services around it.

    assistant, browser ── Envoy (Contour) ──┬── gateways ──┐
                                            ├── dev IdP ◄──┤ by the public address of
                                            └── simulator ◄┘ *.example.test

Everything is installed with commands that an administrator would type. In the test process
`*.example.test` resolves to a loopback address, where kind forwards 443 to Envoy. Certificates come
from an authority that is created here.
"""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator, Sequence
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
CHART = "charts/productive-mcp"
REPORTS = ROOT / ".reports" / "e2e"
MCP = "https://mcp.example.test"
SIMULATOR = "https://productive.example.test"
HOSTS = ("mcp.example.test", "idp.example.test", "productive.example.test")
ANA = "ana.kovac@northlight.example"
MARKO = "marko.cavic@northlight.example"
NAMESPACES = ("productive", "productive-users", "productive-grants")
OUTSIDE = "outside"
"""Namespace of dev IdP and simulator."""
READ_INTERNAL = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9090/{path}').read().decode())"
)

Values = dict[str, Any]


@contextmanager
def example_test_is_at(loopback: str) -> Iterator[None]:
    """Resolve `*.example.test` to this address during the block, in this process."""
    resolve = socket.getaddrinfo

    def resolved(host: Any, *arguments: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        ours = isinstance(name, str) and name.endswith(".example.test")
        return resolve(loopback if ours else host, *arguments, **options)

    with mock.patch("socket.getaddrinfo", resolved):
        yield


@dataclass
class ExternalServices:
    """Names, certificates, provider and Productive, which exist before the product is installed."""

    terminal: Terminal
    folder: Path
    """The folder of certificates and values."""
    loopback: str = "127.0.0.1"
    """The address of this machine where the ingress answers."""
    authority: Authority = field(default_factory=lambda: Authority("Tests of productive-mcp"))

    def __post_init__(self) -> None:
        pair = self.authority.server("example.test", hosts=HOSTS)
        # Chromium compares the fingerprint with the chain that it receives.
        (self.folder / "tls.crt").write_bytes(pair.certificate)
        (self.folder / "tls.key").write_bytes(pair.key)
        (self.folder / "ca.crt").write_bytes(self.authority.certificate)
        self.trusted = ssl.create_default_context(cadata=self.authority.certificate.decode())
        known = f"--ignore-certificate-errors-spki-list={key_fingerprint(pair.certificate)}"
        host = f"[{self.loopback}]" if ":" in self.loopback else self.loopback
        self.chromium_flags = (f"--host-resolver-rules=MAP *.example.test {host}", known)

    def prepare(self) -> None:
        """Remove what an earlier run left behind; start provider and Productive."""
        self.remove()
        terminal = self.terminal
        terminal(f"kubectl create namespace {OUTSIDE}")
        self.certificate("outside-tls", OUTSIDE)
        self.certificate("example-test-tls", "projectcontour")
        terminal(f"kubectl apply -n {OUTSIDE} -f {HERE}/outside.yaml")
        for program in ("idp", "simulator"):
            terminal(f"kubectl rollout status -n {OUTSIDE} deploy/{program} --timeout=120s")

    def remove(self) -> None:
        """Remove everything that these tests create."""
        terminal, gone = self.terminal, "--ignore-not-found --timeout=120s"
        self.remove_release()
        terminal(f"kubectl delete namespace {OUTSIDE} {gone}")
        terminal(f"kubectl delete secret example-test-tls -n projectcontour {gone}")

    def remove_release(self) -> None:
        """Remove the product and its people, but not provider and Productive."""
        terminal, gone = self.terminal, "--ignore-not-found --timeout=120s"
        terminal.tried("helm uninstall productive -n productive --no-hooks --wait")
        terminal(f"kubectl delete namespace {' '.join(NAMESPACES)} {gone}")
        terminal(f"kubectl delete crd productiveusers.productive-mcp.dev {gone}")

    def certificate(self, name: str, namespace: str) -> None:
        """Create a Secret with the certificate of all three hosts."""
        pair = f"--cert={self.folder}/tls.crt --key={self.folder}/tls.key"
        self.terminal(f"kubectl create secret tls {name} -n {namespace} {pair}")

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Send a control request to the simulator: see `productive_dev.simulator.control`."""
        with httpx.Client(verify=self.trusted, trust_env=False, timeout=30) as http:
            answer = http.request(method, f"{SIMULATOR}/__simulator/{path}", json=body)
        answer.raise_for_status()
        return answer.json()

    def entries(self) -> list[Object]:
        """Return all time entries in the simulator."""
        found: list[Object] = self.control("GET", "time_entries")
        return found


class Installation:
    """The release `productive` in the namespace of that name."""

    def __init__(
        self,
        services: ExternalServices,
        *,
        clusters: Sequence[str] = (),
        changes: Values | None = None,
    ) -> None:
        """Describe the release.

        Args:
            services: what is around it.
            clusters: names of the chart's values files for clusters, in the order of helm's flags.
            changes: values of its own, in addition to those of values.yaml.
        """
        self.services = services
        self.terminal = services.terminal
        self.values = _merged(yaml.safe_load((HERE / "values.yaml").read_text()), changes or {})
        self._file = services.folder / "values.yaml"
        files = [*(f"{CHART}/clusters/{name}.yaml" for name in clusters), self._file]
        self._release = " ".join(["productive", CHART, *(f"-f {file}" for file in files)])

    def prepare(self) -> None:
        """Create what the chart does not: namespace, client secret, certificate, authority."""
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
            f"--from-file={self.services.folder}/ca.crt"
        )
        self.services.certificate("productive-tls", "productive")

    def install(self) -> None:
        self._write(self.values)
        self.terminal(f"helm install -n productive --wait {self._release}")

    def upgrade(self, changes: Values) -> None:
        """Upgrade with changed values; later upgrades keep the changes."""
        self.values = _merged(self.values, changes)
        self._write(self.values)
        self.terminal(f"helm upgrade -n productive --wait {self._release}")

    def add_person(self, example: str) -> str:
        """Apply a file of examples/ and wait until that person is ready; return the name."""
        terminal, inside = self.terminal, "-n productive-users"
        applied = terminal(f"kubectl apply {inside} -f examples/{example}.yaml -o name").split()
        [user] = [one for one in applied if one.startswith("productiveuser")]
        terminal(f"kubectl wait {inside} {user} --for=condition=Ready --timeout=30s")
        return user.partition("/")[2]

    def pods(self, component: str) -> list[Object]:
        """Return the running pods of a program that are not terminating."""
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
        """Return the answer of a gateway's internal port, requested from within the pod."""
        code = READ_INTERNAL.format(path=path)
        return self.terminal(f'kubectl exec -n productive {pod} -c gateway -- python -c "{code}"')

    def metrics(self, name: str) -> dict[str, float]:
        """Return the value of a metric at each gateway; `name` includes the labels."""
        found = {}
        for pod in self.names("gateway"):
            lines = [line.rpartition(" ") for line in self.internal(pod, "metrics").splitlines()]
            found[pod] = next(float(value) for one, _, value in lines if one == name)
        return found

    def assistant(self, email: str, browser: Any, *, mode: Any = "auto") -> Assistant:
        """Return a new assistant of a person."""
        return Assistant(f"{MCP}/mcp", email, browser, mode=mode, trusted=self.services.trusted)

    def _write(self, values: Values) -> None:
        self._file.write_text(yaml.safe_dump(values))


class Figures:
    """The measurements of a run in a file, to which each is written immediately."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._figures: dict[str, Any] = {}

    def note(self, name: str, value: Any) -> None:
        self._figures[name] = value
        self._file.write_text(json.dumps(self._figures, indent=1) + "\n")


def _merged(below: Values, above: Values) -> Values:
    """Return values with changes merged in, section by section."""
    merged = dict(below)
    for name, value in above.items():
        known = merged.get(name)
        both = isinstance(known, dict) and isinstance(value, dict)
        merged[name] = _merged(known, value) if both else value  # type: ignore[arg-type]
    return merged
