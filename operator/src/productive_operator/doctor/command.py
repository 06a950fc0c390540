"""`productive-operator doctor`: finds the installation, examines it, and prints the report."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from productive_contract.names import OPERATOR_FIELD_MANAGER
from productive_kube.client import KubeClient
from productive_kube.credentials import in_cluster
from productive_kube.errors import ApiError, NoCluster
from productive_operator.doctor.examination import Examination
from productive_operator.doctor.fetching import Web, web_session
from productive_operator.doctor.installation import UnknownInstallation, find_installation
from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.report import as_json, as_text, exit_status
from productive_operator.doctor.result import NotReadable
from productive_operator.terminal import fail

CANNOT_RUN = 2
"""Exit status when nothing could be examined; the same as for something wrong."""


async def examine(
    namespace: str | None, release: str | None, environment: Mapping[str, str], *, as_script: bool
) -> int:
    """Examine an installation and print the report; return the exit status.

    Args:
        namespace: of the release; None: it is looked for.
        release: its name; None: it is looked for.
        environment: the operator's settings, for a run in its own pod.
        as_script: print JSON.
    """
    try:
        connecting = KubeClient.connect(user_agent=f"{OPERATOR_FIELD_MANAGER}/doctor")
        async with await connecting as client, web_session() as session:
            reader = ClusterReader(client)
            installation = await find_installation(
                reader, namespace=namespace, release=release, environment=environment
            )
            web = Web(session)
            results = await Examination(reader, web, installation, inside=in_cluster()).run()
    except (NoCluster, UnknownInstallation) as error:
        fail(str(error))
        return CANNOT_RUN
    except NotReadable as error:
        fail(f"nothing can be examined: it needs {error}")
        return CANNOT_RUN
    except ApiError as error:
        fail(f"the API server gave no usable answer: {error}; check the kubeconfig, and its health")
        return CANNOT_RUN
    encoding = sys.stdout.encoding
    sys.stdout.write(as_json(results) if as_script else as_text(results, encoding))
    return exit_status(results)
