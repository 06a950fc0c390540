"""Which of the two worlds this machine is, and how a command reaches the cluster in it."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.cache import cache_folder
from kind.programs import built, kubernetes
from kind.shell import Failed, works
from kind.variants import DEFAULT, VARIANTS, Variant

CLUSTER = "productive-e2e"
NETWORK = Path("/run/netns") / CLUSTER
STATE = Path("/run") / CLUSTER
"""Sockets, process numbers and the kubeconfig of a private world."""
MARK = "PRODUCTIVE_MCP_E2E"
"""Variable that says which kubeconfig is ours: the tests delete what they find in a cluster."""
VARIANT = "PRODUCTIVE_MCP_E2E_VARIANT"
"""Variable that names the cluster's variant."""


@dataclass(frozen=True, slots=True)
class World:
    """A machine with Docker and a registry, or one with neither."""

    private: bool
    state: Path

    @property
    def docker(self) -> dict[str, str]:
        """Return the environment that reaches the daemon of the nodes."""
        return self._environment("docker.sock")

    @property
    def builder(self) -> dict[str, str]:
        """Return the environment of the daemon that builds: it reaches package registries."""
        return self._environment("builder.sock")

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def tests(self) -> dict[str, str]:
        """Return the environment of the tests: the cluster, and its programs first on PATH."""
        return self.docker | {
            "KUBECONFIG": str(self.kubeconfig),
            MARK: str(self.kubeconfig),
            VARIANT: self.variant.name,
        }

    @property
    def variant(self) -> Variant:
        """Return the variant of the cluster that is here, or is to be made."""
        try:
            return VARIANTS[(self.state / "variant").read_text()]
        except FileNotFoundError:
            return DEFAULT

    def choose(self, variant: Variant) -> None:
        """Note the variant of the cluster that is to be made.

        Raises:
            Failed: a cluster of another variant is here.
        """
        if self.kubeconfig.exists() and self.variant != variant:
            raise Failed(
                f"A cluster of the variant {self.variant.name} is here: take it away first with "
                "`python -m kind down`."
            )
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.state / "variant").write_text(variant.name)

    def inside(self, *command: str | Path) -> tuple[str | Path, ...]:
        """Return the command as it must run to reach the nodes."""
        if not self.private:
            return command
        return ("nsenter", f"--net={NETWORK}", *command)

    def link_programs(self) -> None:
        """Lay kind, kubectl, helm and docker where the tests find them first."""
        folder = self.state / "bin"
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        programs = {"kind": built("kind")}
        programs |= {name: kubernetes() / name for name in ("kubectl", "helm")}
        if self.private:
            # A newer client elsewhere on PATH lacks BuildKit; Debian's has it built in.
            programs["docker"] = Path("/usr/bin/docker")
        for name, program in programs.items():
            link = folder / name
            link.unlink(missing_ok=True)
            link.symlink_to(program)

    def _environment(self, socket: str) -> dict[str, str]:
        env = dict(os.environ)
        env["PATH"] = os.pathsep.join(
            [str(self.state / "bin"), str(Path(sys.executable).parent), env.get("PATH", "")]
        )
        env["DOCKER_BUILDKIT"] = "1"
        if self.private:
            env["DOCKER_HOST"] = f"unix://{self.state / socket}"
            env.pop("DOCKER_CONTEXT", None)
        return env


def here() -> World:
    """Return this machine's world; its own Docker wins where one answers."""
    if not STATE.exists() and shutil.which("docker") and works("docker", "info"):
        return World(private=False, state=cache_folder() / "kind" / "state")
    return World(private=True, state=STATE)
