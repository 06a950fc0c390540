"""A development installation: forwarded ports, a sign-in, and a copied source that runs at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.browser import chromium
from harness.processes import Program, eventually, listening, new_folder, remove_folder
from harness.sdkclient import Assistant
from harness.terminal import Terminal

CRD = "crd productiveusers.productive-mcp.dev"
ANA = "ana.kovac@northlight.example"
SOURCE = "gateway/src/productive_gateway/tools/core/get_me.py"
TITLE = 'title="Who am I"'
PORTS = (8787, 9400, 9500)
READY = "import urllib.request as r; r.urlopen('http://127.0.0.1:9090/readyz')"


class Development:
    """A release `development` in a namespace of that name, from values-dev.yaml."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self._terminal = terminal
        self._folder = folder
        self._forward: Program | None = None
        self._makes_crd = False

    def install(self) -> None:
        run, place = self._terminal, "-n development"
        self.forget()
        run("kubectl create namespace development")
        run("kubectl label namespace development pod-security.kubernetes.io/enforce=restricted")
        # It may be there, and another release's.
        self._makes_crd = not run(f"kubectl get {CRD} -o name --ignore-not-found")
        values = (
            "-f charts/productive-mcp/values-dev.yaml "
            f"--set crds.install={str(self._makes_crd).lower()}"
        )
        run(f"helm install development charts/productive-mcp {place} {values} --wait")
        run("kubectl apply -n development-users -f examples/")
        run("kubectl wait -n development-users pu --all --for=condition=Ready --timeout=60s")

    def forget(self) -> None:
        if self._forward is not None:
            self._forward.kill()
        self._terminal.tried("helm uninstall development -n development --wait")
        namespaces = "development development-users development-grants"
        self._terminal(f"kubectl delete namespace {namespaces} --ignore-not-found --timeout=120s")
        if self._makes_crd:
            self._terminal(f"kubectl delete {CRD} --timeout=120s")

    def forward(self) -> None:
        """Forward the ports; kubectl ends at the first connection that the pod refuses."""
        if self._forward is not None:
            self._forward.kill()
        target = ("-n", "development", "deploy/development-gateway")
        self._forward = Program(
            "kubectl port-forward",
            ["kubectl", "port-forward", *target, *map(str, PORTS)],
            log=self._folder / "port-forward.log",
        )
        self._forward.until(lambda: all(map(listening, PORTS)))

    @property
    def pod(self) -> str:
        label = "app.kubernetes.io/component=gateway"
        [name] = self._terminal(f"kubectl get pods -n development -l {label} -o name").split()
        return name.removeprefix("pod/")

    def copy(self, text: str) -> None:
        """Put a source into the gateway's container."""
        file = self._folder / "changed.py"
        file.write_text(text)
        self._terminal(f"kubectl cp -n development -c gateway {file} {self.pod}:/src/{SOURCE}")

    def log(self) -> str:
        return self._terminal(f"kubectl logs -n development {self.pod} -c gateway")

    def until_started(self, times: int) -> None:
        """Wait until the gateway started so many times, and serves."""
        eventually(
            lambda: self.log().count("gateway.started") >= times,
            seconds=60,
            what=f"{times} starts of the gateway",
        )
        line = f'kubectl exec -n development {self.pod} -c gateway -- python -c "{READY}"'
        eventually(
            lambda: not self._terminal.tried(line), seconds=60, what="a gateway that is ready"
        )

    def restarts(self) -> dict[str, int]:
        """Return how often each container of the gateway's pod started anew."""
        pod = self._terminal.found(f"kubectl get pod -n development {self.pod} -o json")
        return {one["name"]: one["restartCount"] for one in pod["status"]["containerStatuses"]}


@pytest.fixture(scope="module")
def development(terminal: Terminal) -> Iterator[Development]:
    folder = new_folder("development")
    development = Development(terminal, folder)
    development.install()
    yield development
    development.forget()
    remove_folder(folder)


async def test_a_changed_source_runs_and_nobody_signs_in_again(development: Development) -> None:
    source = (Path(__file__).parents[2] / SOURCE).read_text()
    assert TITLE in source
    development.until_started(1)
    development.forward()
    async with chromium() as browser:
        assistant = Assistant("http://localhost:8787/mcp", ANA, browser)
        me = await assistant.call("get_me")
        assert me.structured_content["person"]["email"] == ANA

        development.copy(source.replace(TITLE, "title="))
        eventually(
            lambda: "productive-gateway ended with 1" in development.log(),
            seconds=60,
            what="sources that cannot run",
        )
        development.copy(source.replace(TITLE, 'title="Changed while it runs"'))
        development.until_started(2)
        development.forward()
        async with assistant.connected() as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert tools["get_me"].title == "Changed while it runs"
        assert assistant.sign_ins == 1
    assert set(development.restarts().values()) == {0}
