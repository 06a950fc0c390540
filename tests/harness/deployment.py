"""The whole product as processes on this machine: an installation without pods.

    ingress (round robin) ── N gateways ──┬── API server, each with its real rights
                                          ├── dev IdP
    operator ── API server                └── simulator of Productive

All ports are chosen before anything starts, so a deployment can be described before it runs.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from harness.cluster import Cluster
from harness.gatewayforks import GatewayForks
from harness.ingress import Ingress
from harness.kube import secret_data, secrets_path
from harness.mount import MappingMount
from harness.people import ProductiveUsers
from harness.processes import Program, ProgramFailed, free_port, listening
from harness.proxy import RecordingProxy
from harness.rights import Account

PROGRAMS = Path(sys.executable).parent
INHERITED = ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The variables that programs inherit; settings of the user must not leak into them."""
CLIENT_ID = "productive-mcp"
CLIENT_SECRET = "dev-idp-secret-for-this-machine-only"
ORGANIZATION = "1200"
REVISION = re.compile(r"^productive_mcp_mapping_revision (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Plan:
    """The options of a deployment."""

    replicas: int = 2
    proxied: bool = False
    """Whether operator and gateways reach the API server through recording proxies."""
    forked: bool = False
    """Whether gateways start in a tenth of a second and sweep when asked: see `forkserver`."""
    gateway: Mapping[str, str] = field(default_factory=dict)
    """Additional settings of the gateways; they override the standard ones."""
    gateway_command: tuple[str, ...] = ("productive-gateway", "serve")
    """A program of this environment, or with an absolute path, and its arguments; not if forked."""
    people: tuple[str, ...] = ()
    """Addresses that the page of the dev IdP lists; it accepts any other, too."""
    port: int | None = None
    """The public port; None picks a free one."""


class Deployment:
    """An installation in the namespaces of one `Cluster`."""

    def __init__(self, cluster: Cluster, plan: Plan | None = None) -> None:
        self.cluster = cluster
        self.plan = plan or Plan()
        self.port = self.plan.port or free_port()
        self.ports = [free_port() for _ in range(self.plan.replicas)]
        self.internal_ports = [free_port() for _ in range(self.plan.replicas)]
        self.operator_port = free_port()
        self.idp_port = free_port()
        self.simulator_port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.mcp_url = f"{self.url}/mcp"
        self.idp_url = f"http://127.0.0.1:{self.idp_port}"
        self.simulator_url = f"http://127.0.0.1:{self.simulator_port}"
        self.issuer = f"{self.idp_url}/cdn-cgi/access/sso/oidc/{CLIENT_ID}"
        self.mapping_mount = MappingMount(cluster.folder / "mapping")
        self.key_mount = MappingMount(cluster.folder / "keys")
        self.people = ProductiveUsers(cluster, self.revisions)
        self.programs: dict[str, Program] = {}
        self.proxies: dict[str, RecordingProxy] = {}

    @property
    def operator(self) -> Program:
        return self.programs["operator"]

    @property
    def gateways(self) -> list[Program]:
        return [self.programs[f"gateway-{number}"] for number in range(self.plan.replicas)]

    def revisions(self) -> list[float]:
        """Return the revision of the mapping that each running gateway uses, from its metrics."""
        running = zip(self.gateways, self.internal_ports, strict=True)
        return [_revision(port) for gateway, port in running if gateway.running]

    @contextmanager
    def running(self) -> Iterator[Deployment]:
        """Run everything during the block; at its end, kill it.

        Raises:
            ProgramFailed: a program ended or was not ready in time.
        """
        with ExitStack() as stack:
            self._forks = stack.enter_context(GatewayForks()) if self.plan.forked else None
            stack.callback(self._kill)
            self.ingress = stack.enter_context(Ingress(self.ports, port=self.port))
            self._start_all()
            yield self

    def until_ready(self, number: int) -> None:
        """Wait until a gateway reports that it is ready."""
        port = self.internal_ports[number]
        self.gateways[number].until(lambda: _answers(port, "/readyz"))

    def restart_gateway(self, number: int, settings: Mapping[str, str] | None = None) -> None:
        """Kill a gateway and start it again, with mounts as current as those of a new pod.

        Args:
            number: which one.
            settings: in addition to those of the plan; as before if None.
        """
        self.refresh_mounts()
        if settings is None:
            self.gateways[number].restart()
        else:
            self.gateways[number].kill()
            self._start_gateway(number, settings)
        self.until_ready(number)

    def refresh_mounts(self) -> None:
        """Copy the Secrets to the mounts, which do not change otherwise.

        The kubelet updates a mount a minute late, so no test may depend on such an update.
        """
        names = self.cluster.names
        for mount, name in ((self.mapping_mount, names.mapping), (self.key_mount, names.key_ring)):
            found = self.cluster.kube.get(secrets_path(names.release, name))
            mount.write(secret_data(found))

    def output(self) -> dict[str, str]:
        """Return the output of each program so far."""
        return {name: program.output() for name, program in self.programs.items()}

    def _start_all(self) -> None:
        # As with the chart, the mapping exists before the operator starts.
        self.cluster.make_empty_mapping()
        self._start_idp()
        self._start_simulator()
        self._start_operator()
        self._make_key_ring()
        self.operator.until(lambda: _answers(self.operator_port, "/readyz"))
        self.programs["idp"].until(functools.partial(listening, self.idp_port))
        self.programs["simulator"].until(functools.partial(listening, self.simulator_port))
        self.refresh_mounts()
        for number in range(self.plan.replicas):
            self._start_gateway(number)
        for number in range(self.plan.replicas):
            self.until_ready(number)

    def _start_idp(self) -> None:
        self._start(
            "idp",
            "productive-dev",
            "idp",
            f"--port={self.idp_port}",
            f"--client-id={CLIENT_ID}",
            f"--redirect-uri={self.url}/callback",
            *(f"--user={email}" for email in self.plan.people),
            "--control",
            settings={"OIDC_CLIENT_SECRET": CLIENT_SECRET},
        )

    def _start_simulator(self) -> None:
        self._start(
            "simulator", "productive-dev", "simulator", f"--port={self.simulator_port}", "--control"
        )

    def _start_operator(self) -> None:
        settings = {
            "KUBECONFIG": self._kubeconfig("operator", "operator"),
            "USERS_NAMESPACE": self.cluster.names.users,
            "MAPPING_SECRET": self.cluster.names.mapping,
            "INTERNAL_PORT": str(self.operator_port),
            # So that the search for secrets sees all that could be logged.
            "LOG_LEVEL": "DEBUG",
        }
        self._start("operator", "productive-operator", "run", settings=settings)

    def _make_key_ring(self) -> None:
        """Run the command of the chart's Job."""
        command: list[str | Path] = [PROGRAMS / "productive-gateway", "keys", "init"]
        done = subprocess.run(
            [*command, "--name", self.cluster.names.key_ring],
            check=False,
            env=environment({"KUBECONFIG": str(self.cluster.kubeconfig("keys"))}),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ProgramFailed(
                f"`productive-gateway keys init` failed:\n{done.stdout}{done.stderr}"
            )

    def _start_gateway(self, number: int, more: Mapping[str, str] | None = None) -> None:
        names = self.cluster.names
        settings = {
            "KUBECONFIG": self._kubeconfig("gateway", f"gateway-{number}"),
            "PUBLIC_URL": self.url,
            "PORT": str(self.ports[number]),
            "INTERNAL_PORT": str(self.internal_ports[number]),
            "GRANTS": f"kubernetes://{names.grants}",
            "MAPPING_SECRET": names.mapping,
            "USER_MAPPING": str(self.mapping_mount.folder),
            "KEY_RING_SECRET": names.key_ring,
            "KEY_RING": str(self.key_mount.folder),
            "OIDC_ISSUER": self.issuer,
            "OIDC_CLIENT_ID": CLIENT_ID,
            "OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "PRODUCTIVE_API_BASE_URL": f"{self.simulator_url}/api/v2",
            "PRODUCTIVE_ORG_ID": ORGANIZATION,
            "LOG_LEVEL": "debug",
        }
        settings |= {**self.plan.gateway, **(more or {})}
        name = f"gateway-{number}"
        if self._forks is None:
            self._start(name, *self.plan.gateway_command, settings=settings)
        else:
            self.programs[name] = self._forks.start(
                name, log=self._log(name), environment=environment(settings)
            )

    def _kubeconfig(self, account: Account, program: str) -> str:
        if not self.plan.proxied:
            return str(self.cluster.kubeconfig(account))
        proxy = self.proxies.setdefault(program, self.cluster.proxy())
        return str(self.cluster.kubeconfig(account, proxy=proxy))

    def _start(
        self, name: str, program: str, *arguments: str, settings: Mapping[str, str] | None = None
    ) -> None:
        self.programs[name] = Program(
            name,
            [PROGRAMS / program, *arguments],
            log=self._log(name),
            environment=environment(settings or {}),
        )

    def _log(self, name: str) -> Path:
        return self.cluster.folder / f"{name}.log"

    def _kill(self) -> None:
        for program in self.programs.values():
            program.kill()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | dict(settings)


def _answers(port: int, path: str) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False).is_success
    except httpx.TransportError:
        return False


def _revision(port: int) -> float:
    try:
        metrics = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    except httpx.TransportError:
        return 0.0
    found = REVISION.search(metrics)
    return float(found[1]) if found else 0.0
