"""Helm and our chart: renders it on this machine, or installs it in a control plane.

By default a release is called `productive`, in a namespace of that name. Values are added to
`MINIMUM`, the values that every installation must set.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from harness.kube import Object

CHART: Final = Path(__file__).resolve().parents[2] / "charts" / "productive-mcp"
RELEASE: Final = "productive"
MINIMUM: Final[dict[str, Any]] = {
    "publicUrl": "https://mcp.example.com",
    "productive": {"organizationId": "1200"},
    "signIn": {
        "existingSecret": "productive-sign-in",
        "oidc": {"issuer": "https://idp.example.com", "clientId": "productive-mcp"},
    },
}

LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times faster if PyYAML was built with libyaml."""

Values = Mapping[str, Any]


class HelmRefused(Exception):
    """Helm failed; `str()` is its error output."""


class Rendered:
    """The manifests of one rendering."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.objects: list[Object] = [one for one in yaml.load_all(text, LOADER) if one]

    def get(self, kind: str, name: str) -> Object:
        """Return the one object of this kind and name.

        Raises:
            KeyError: it was not rendered, or rendered more than once.
        """
        found = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        if len(found) != 1:
            raise KeyError(f"{len(found)} of {kind}/{name}")
        return found[0]

    def of(self, kind: str) -> list[Object]:
        return [one for one in self.objects if one["kind"] == kind]

    def environment(self, program: str) -> dict[str, str]:
        """Return the variables of a program; the value of one from a Secret is `<name>/<key>`."""
        spec = self.get("Deployment", f"{RELEASE}-{program}")["spec"]["template"]["spec"]
        variables = spec["containers"][0]["env"]
        return {one["name"]: one.get("value") or _reference(one) for one in variables}

    def pods(self) -> dict[str, Object]:
        """Return the metadata and spec of each pod in the manifests, by kind/name."""
        found = {}
        for one in self.objects:
            spec = one.get("spec", {})
            job = spec.get("jobTemplate", {}).get("spec", {})
            template = one if one["kind"] == "Pod" else spec.get("template") or job.get("template")
            if template and "containers" in template.get("spec", {}):
                found[f"{one['kind']}/{one['metadata']['name']}"] = template
        return found


class Helm:
    """The helm program with its own home folder."""

    def __init__(self, program: Path, home: Path) -> None:
        self._program = program
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "HELM_CACHE_HOME": str(home / "cache"),
            "HELM_CONFIG_HOME": str(home / "config"),
            "HELM_DATA_HOME": str(home / "data"),
        }
        self._rendered: dict[str, str] = {}
        """What was rendered already: many tests look at the same."""
        self._minimum = home / "minimum.yaml"
        self._minimum.write_text(yaml.safe_dump(MINIMUM))

    def render(
        self,
        values: Values | None = None,
        *arguments: str,
        release: str = RELEASE,
        namespace: str | None = None,
        bare: bool = False,
    ) -> Rendered:
        """Render the chart; `bare` omits `MINIMUM`.

        Raises:
            HelmRefused: the values were refused.
        """
        command = ["template", release, str(CHART), "--namespace", namespace or release, *arguments]
        key = json.dumps([command, values or {}, bare])
        if key not in self._rendered:
            self._rendered[key] = self._run(command, values, bare=bare)
        return Rendered(self._rendered[key])

    def render_umbrella(self, chart: Path, values: Values) -> Rendered:
        """Fetch the dependencies of somebody else's chart, and render it as release `platform`.

        Raises:
            HelmRefused: the values were refused.
        """
        self._call(["dependency", "update", str(chart)], "")
        command = ["template", "platform", str(chart), "--namespace", "platform"]
        return Rendered(self._run(command, values, bare=True))

    def notes(self, values: Values | None = None) -> str:
        """Return the notes that `helm install` prints."""
        command = ("install", RELEASE, str(CHART), "--namespace", RELEASE, "--dry-run=client")
        text = self._run(list(command), values)
        return text.partition("NOTES:\n")[2]

    def run(
        self,
        command: str,
        release: str,
        *arguments: str,
        kubeconfig: Path,
        values: Values | None,
        bare: bool = False,
    ) -> str:
        """Install or upgrade a release in the namespace of its name; return Helm's output.

        `bare` is without `MINIMUM`.

        Raises:
            HelmRefused: Helm failed.
        """
        place = ("--namespace", release, f"--kubeconfig={kubeconfig}")
        return self._run([command, release, str(CHART), *place, *arguments], values, bare=bare)

    def uninstall(self, release: str, *arguments: str, kubeconfig: Path) -> str:
        """Uninstall a release."""
        place = ("--namespace", release, f"--kubeconfig={kubeconfig}")
        return self._call(["uninstall", release, *place, *arguments], "")

    def lint(self) -> str:
        """Return the output of `helm lint --strict`.

        Raises:
            HelmRefused: the chart has problems.
        """
        return self._run(["lint", str(CHART), "--strict"], None)

    def package(self, folder: Path) -> Path:
        """Package the chart into a folder, as for a release; return the archive."""
        output = self._call(["package", str(CHART), "--destination", str(folder)], "")
        return Path(output.rpartition(": ")[2].strip())

    def _run(self, command: list[str], values: Values | None, *, bare: bool = False) -> str:
        minimum = [] if bare else ["--values", str(self._minimum)]
        return self._call([*command, *minimum, "--values", "-"], json.dumps(dict(values or {})))

    def _call(self, command: list[str], stdin: str) -> str:
        done = subprocess.run(
            [self._program, *command],
            check=False,
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise HelmRefused(done.stderr)
        return done.stdout


def at(value: Any, path: str) -> Any:
    """Return the value at a path such as `spec.rules.0.host`.

    Raises:
        KeyError, IndexError: there is no such path.
    """
    for part in path.split(".") if path else ():
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value


def nested(path: str, value: Any) -> dict[str, Any]:
    """Return the values that set one path: `a.b` and 1 become `{"a": {"b": 1}}`."""
    for part in reversed(path.split(".")):
        value = {part: value}
    found: dict[str, Any] = value
    return found


def _reference(variable: Object) -> str:
    source = variable.get("valueFrom", {}).get("secretKeyRef")
    return f"{source['name']}/{source['key']}" if source else ""
