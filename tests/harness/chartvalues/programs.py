"""Cases of the values that gateway and operator have in common."""

from __future__ import annotations

from typing import Any

from harness.chartvalues.case import ABSENT, CONTAINER, POD, PRESENT, Case
from harness.helm import nested

DIGEST = "sha256:" + "a" * 64


def _of_programs() -> list[Case]:
    """The values that gateway and operator have in common."""
    probe = {"httpGet": {"path": "/other", "port": 1234}}
    spread = [{"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]
    cases = []
    for program in ("gateway", "operator"):
        values: list[tuple[str, Any, str, Any]] = [
            ("image.repository", "r.example/p", f"{CONTAINER}.image", "r.example/p:0.1.0"),
            ("image.tag", "9", f"{CONTAINER}.image", f"productive-mcp-{program}:9"),
            ("image.digest", DIGEST, f"{CONTAINER}.image", f"productive-mcp-{program}@{DIGEST}"),
            ("image.pullPolicy", "Always", f"{CONTAINER}.imagePullPolicy", "Always"),
            ("command", ["x", "y"], f"{CONTAINER}.command", ["x", "y"]),
            ("resources", {"limits": {"cpu": 3}}, f"{CONTAINER}.resources.limits.cpu", 3),
            ("topologySpreadConstraints", spread, f"{POD}.topologySpreadConstraints.0.maxSkew", 2),
            ("tolerations", [], f"{POD}.tolerations", ABSENT),
            ("nodeSelector", {"a": "b"}, f"{POD}.nodeSelector", {"a": "b"}),
            ("affinity", {"nodeAffinity": {}}, f"{POD}.affinity", {"nodeAffinity": {}}),
            ("priorityClassName", "high", f"{POD}.priorityClassName", "high"),
            ("podAnnotations", {"a": "b"}, "spec.template.metadata.annotations", {"a": "b"}),
            ("podLabels", {"a": "b"}, "spec.template.metadata.labels.a", "b"),
            ("podSecurityContext", {"fsGroup": 7}, f"{POD}.securityContext.fsGroup", 7),
            ("securityContext", {"x": 1}, f"{CONTAINER}.securityContext.x", 1),
            ("livenessProbe", probe, f"{CONTAINER}.livenessProbe.httpGet.path", "/other"),
            ("readinessProbe", probe, f"{CONTAINER}.readinessProbe.httpGet.path", "/other"),
            ("startupProbe", probe, f"{CONTAINER}.startupProbe.httpGet.path", "/other"),
            ("preStopSeconds", 9, f"{CONTAINER}.lifecycle.preStop.sleep.seconds", 9),
            ("terminationGracePeriodSeconds", 77, f"{POD}.terminationGracePeriodSeconds", 77),
            ("extraEnv", [{"name": "A", "value": "b"}], "env.A", "b"),
            ("extraEnvFrom", [{"secretRef": {"name": "s"}}], f"{CONTAINER}.envFrom", PRESENT),
            ("extraVolumes", [{"name": "v"}], f"{POD}.volumes.-1", {"name": "v"}),
            (
                "extraVolumeMounts",
                [{"name": "v", "mountPath": "/v"}],
                f"{CONTAINER}.volumeMounts.-1.mountPath",
                "/v",
            ),
            ("extraContainers", [{"name": "c"}], f"{POD}.containers.1.name", "c"),
            ("initContainers", [{"name": "i"}], f"{POD}.initContainers.0.name", "i"),
            ("deploymentAnnotations", {"a": "b"}, "metadata.annotations", {"a": "b"}),
            ("strategy", {"type": "Recreate"}, "spec.strategy", {"type": "Recreate"}),
            ("revisionHistoryLimit", 3, "spec.revisionHistoryLimit", 3),
            ("runtimeClassName", "gvisor", f"{POD}.runtimeClassName", "gvisor"),
            ("hostAliases", [{"ip": "192.0.2.1"}], f"{POD}.hostAliases.0.ip", "192.0.2.1"),
            ("dnsConfig", {"searches": ["a"]}, f"{POD}.dnsConfig", {"searches": ["a"]}),
            ("serviceAccount.name", "own", f"{POD}.serviceAccountName", "own"),
        ]
        account = f"ServiceAccount/{program}"
        annotations = "serviceAccount.annotations"
        named = {program: {"serviceAccount": {"name": "own"}}}
        cases += [
            Case(f"{program}.{annotations}", {"a": "b"}, account, "metadata.annotations.a", "b"),
            Case(
                f"{program}.serviceAccount.create", False, "ServiceAccount/own", "", ABSENT, named
            ),
        ]
        other = {"gateway": "operator", "operator": "gateway"}[program]
        cases += [
            Case(
                f"{program}.{path}",
                value,
                f"Deployment/{program}",
                inside,
                expected,
                # One rendering shows both.
                nested(f"{other}.{path}", value),
            )
            for path, value, inside, expected in values
        ]
    return cases


OF_PROGRAMS = _of_programs()
