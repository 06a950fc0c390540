"""`make cluster`: control plane, operator and gateway on this machine, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import closing
from pathlib import Path

from harness.build import programs
from harness.cluster import Cluster
from harness.deployment import Deployment, Plan
from harness.golang import BuildError
from harness.plane import running_plane
from harness.processes import ProgramFailed, pause

RELEASE = "productive"
PORT = 8787
PEOPLE = ("ana.kovac@northlight.example", "marko.cavic@northlight.example")
LOOK_SECONDS = 1.0
TEXT = """
The product is running on a local Kubernetes API server. In a second terminal, in this folder:

  export KUBECONFIG={kubeconfig} PATH={programs}:$PATH
  kubectl apply -f examples/
  kubectl get productiveusers

Your namespace is {users}; operator and gateway are in {release}, grants in {grants}.
The MCP server is {mcp_url} (open {url} for how to connect a client).
Logs: {logs}/*.log        Stop: Ctrl-C, which discards everything.
"""


def main() -> int:
    """Run until interrupted."""
    # SIGINT too, because shells start background jobs with SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        folder = programs()
        print("starting the control plane …", flush=True)
        with running_plane(folder) as plane:
            print("starting operator, gateway, dev IdP and simulator …", flush=True)
            plan = Plan(replicas=1, port=PORT, people=PEOPLE)
            with (
                closing(Cluster(plane, release=RELEASE)) as cluster,
                Deployment(cluster, plan).running() as deployment,
            ):
                print(_text(deployment, folder), flush=True)
                return _watch(deployment)
    except KeyboardInterrupt:
        return 0
    except (BuildError, ProgramFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _watch(deployment: Deployment) -> int:
    """Return when a program ended."""
    while True:
        for name, program in deployment.programs.items():
            if not program.running:
                print(f"{name} ended; the end of its log:\n{program.output()[-2000:]}", flush=True)
                return 1
        pause(LOOK_SECONDS)


def _text(deployment: Deployment, folder: Path) -> str:
    cluster = deployment.cluster
    return TEXT.format(
        kubeconfig=cluster.kubeconfig(),
        programs=folder,
        users=cluster.names.users,
        release=cluster.names.release,
        grants=cluster.names.grants,
        url=deployment.url,
        mcp_url=deployment.mcp_url,
        logs=cluster.folder,
    )


if __name__ == "__main__":
    sys.exit(main())
