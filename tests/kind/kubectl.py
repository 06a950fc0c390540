"""Calls of kubectl as the cluster's administrator."""

from __future__ import annotations

from kind.shell import run
from kind.world import World


def kubectl(world: World, *arguments: str) -> str:
    """Run kubectl; return its output."""
    return run(*world.inside("kubectl", *arguments), env=world.tests)


def apply(world: World, manifests: str) -> None:
    """Apply manifests, which may be applied already."""
    command = ("apply", "--server-side", "--force-conflicts", "--filename=-")
    run(*world.inside("kubectl", *command), env=world.tests, given=manifests)


def rolled_out(world: World, namespace: str, what: str) -> None:
    """Wait until a Deployment or DaemonSet is rolled out."""
    kubectl(world, "rollout", "status", f"--namespace={namespace}", what, "--timeout=180s")
