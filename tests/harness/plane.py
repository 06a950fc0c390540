"""A real Kubernetes control plane for the tests: etcd, API server and a few controllers.

It does not run pods. Each plane has ports and a folder of its own, so several can run at the same
time. Normally a test run has one (about 500 MB, 5 s), and each test its own namespaces.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from harness.audit import ADMINISTRATOR, Asked, asked_by_programs, audit_arguments
from harness.certificates import Authority, KeyPair, token_signer
from harness.kube import Identity, Kube, Object
from harness.processes import Program, eventually, free_port, new_folder, remove_folder

CRDS = Path(__file__).resolve().parents[2] / "crds"
ISSUER = "https://kubernetes.default.svc.cluster.local"
CONTROLLERS = (
    "clusterrole-aggregation-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
)
"""The controllers that tests need; with all of them the start takes 6 s longer."""
HOSTS = ("127.0.0.1", "localhost", "10.96.0.1", "kubernetes", "kubernetes.default.svc")


class Plane:
    """A control plane; `running_plane` starts and stops one."""

    def __init__(self, programs: Path, *, port: int | None = None) -> None:
        self.folder = new_folder("plane")
        self.authority = Authority("productive-mcp tests")
        self._programs = programs
        self._port = port or free_port()
        self._running: list[Program] = []
        server = f"https://127.0.0.1:{self._port}"
        pair = self.authority.client(ADMINISTRATOR, groups=["system:masters"])
        self.admin = Identity(server, self.authority.certificate, pair=pair)

    @functools.cached_property
    def kube(self) -> Kube:
        """An API client with the rights of an administrator."""
        return Kube(self.admin, self.folder)

    @functools.cached_property
    def kubectl(self) -> Path:
        return self._programs / "kubectl"

    @property
    def api_server(self) -> Program:
        """The process of the API server, for tests that restart it and then call `until_ready`."""
        return self._program("kube-apiserver")

    @property
    def etcd(self) -> Program:
        """The process of etcd, for tests that restore a backup of its folder `etcd`."""
        return self._program("etcd")

    def _program(self, name: str) -> Program:
        return next(program for program in self._running if program.name == name)

    def client(self, identity: Identity) -> Kube:
        """Return an API client for another identity; the caller closes it."""
        return Kube(identity, self.folder)

    def asked(self) -> Iterator[Asked]:
        """Yield the requests of the programs under test so far."""
        return asked_by_programs(self.folder)

    def start(self) -> None:
        """Start all programs and install the CRDs.

        Raises:
            ProgramFailed: a program ended or was not ready in time.
        """
        # The API server waits for etcd, so both can start together.
        self._start_etcd(client := free_port())
        self._start_api_server(f"http://127.0.0.1:{client}")
        self.until_ready()
        # Install CRDs first: the garbage collector notices later ones only after 30 s.
        self._apply_crds()
        self._start_controllers()

    def until_ready(self) -> None:
        """Wait until the API server reports that it is ready."""
        self.api_server.until(self._ready)

    def stop(self) -> None:
        """Kill all programs, since a graceful stop takes a minute, and remove the folder."""
        for program in reversed(self._running):
            program.kill()
        if "kube" in self.__dict__:
            self.kube.close()
        remove_folder(self.folder)

    def back_up(self) -> None:
        """Copy what etcd stores."""
        self.etcd.kill()
        shutil.copytree(self.folder / "etcd", self.folder / "backup")
        self.etcd.restart()
        self.until_ready()

    def restore(self) -> None:
        """Put the backup in place, and start everything anew, as the manual of Kubernetes says."""
        self.api_server.kill()
        self.etcd.kill()
        shutil.rmtree(self.folder / "etcd")
        shutil.copytree(self.folder / "backup", self.folder / "etcd")
        self.etcd.restart()
        self.api_server.restart()
        self.until_ready()

    def _ready(self) -> bool:
        try:
            return self.kube.ask("GET", "/readyz").is_success
        except httpx.TransportError:
            return False

    def _start_etcd(self, client: int) -> None:
        peer = f"http://127.0.0.1:{free_port()}"
        self._start(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=http://127.0.0.1:{client}",
            f"--advertise-client-urls=http://127.0.0.1:{client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--quota-backend-bytes=8589934592",
        )

    def _start_api_server(self, etcd: str) -> None:
        signer = self._write("tokens", token_signer())
        server = self._write("server", self.authority.server("kube-apiserver", hosts=HOSTS))
        self._start(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--secure-port={self._port}",
            "--bind-address=127.0.0.1",
            f"--tls-cert-file={server}.crt",
            f"--tls-private-key-file={server}.key",
            f"--client-ca-file={self._authority_file}",
            "--authorization-mode=RBAC",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-signing-key-file={signer}.key",
            f"--service-account-key-file={signer}.crt",
            "--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/108",
            f"--cert-dir={self.folder}",
            *audit_arguments(self.folder),
        )

    def _start_controllers(self) -> None:
        pair = self.authority.client("system:kube-controller-manager")
        identity = Identity(self.admin.server, self.authority.certificate, pair=pair)
        kubeconfig = identity.write_kubeconfig(self.folder / "controllers.kubeconfig")
        self._start(
            "kube-controller-manager",
            f"--kubeconfig={kubeconfig}",
            f"--service-account-private-key-file={self.folder / 'tokens.key'}",
            f"--root-ca-file={self._authority_file}",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={free_port()}",
            f"--cert-dir={self.folder / 'controllers'}",
            f"--controllers={','.join(CONTROLLERS)}",
        )

    def _start(self, name: str, *arguments: str) -> None:
        command: list[str | Path] = [self._programs / name, *arguments]
        self._running.append(Program(name, command, log=self.folder / f"{name}.log"))

    def _apply_crds(self) -> None:
        crds = declared_crds()
        for crd in crds:
            name = crd["metadata"]["name"]
            path = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}"
            self.kube.apply(path, crd)
        for path in [path for crd in crds for path in served_paths(crd)]:
            eventually(functools.partial(self._served, path), what=f"{path} is served")

    def _served(self, path: str) -> bool:
        """Report whether a list succeeds; that is later than "Established", after some 429s."""
        return self.kube.ask("GET", path).is_success

    @functools.cached_property
    def _authority_file(self) -> Path:
        file = self.folder / "authority.crt"
        file.write_bytes(self.authority.certificate)
        return file

    def _write(self, name: str, pair: KeyPair) -> Path:
        """Write NAME.crt and NAME.key; return the path without a suffix."""
        stem = self.folder / name
        stem.with_suffix(".crt").write_bytes(pair.certificate)
        stem.with_suffix(".key").touch(mode=0o600)
        stem.with_suffix(".key").write_bytes(pair.key)
        return stem


def declared_crds() -> list[Object]:
    """Return the documents of `crds/`."""
    files = sorted(CRDS.glob("*.yaml"))
    return [crd for file in files for crd in yaml.safe_load_all(file.read_text()) if crd]


def served_paths(crd: Object) -> list[str]:
    """Return the paths of the lists of a CRD, one for each served version."""
    spec = crd["spec"]
    group, plural = spec["group"], spec["names"]["plural"]
    return [f"/apis/{group}/{v['name']}/{plural}" for v in spec["versions"] if v["served"]]


@contextmanager
def running_plane(programs: Path, *, port: int | None = None) -> Iterator[Plane]:
    """Run a control plane during the block."""
    plane = Plane(programs, port=port)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()
