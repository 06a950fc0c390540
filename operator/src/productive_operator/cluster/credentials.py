"""Where the API server is and who we are: the pod's service account, else a kubeconfig."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import load_incluster_config
from kubernetes.aio.config.kube_config import load_kube_config

from productive_operator.cluster.errors import NoCluster

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


async def load_credentials(kubeconfig: Path | None) -> tuple[Configuration, str]:
    """Return the client configuration and our own namespace.

    The service account token is read again each minute: the kubelet rotates it.

    Raises:
        NoCluster: neither source can be used.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None and in_cluster():
            load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
            namespace = (_SERVICE_ACCOUNT / "namespace").read_text().strip()
        else:
            path = str(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube/config")
            # Without persist_config: a program does not write into a person's kubeconfig.
            loader = await load_kube_config(  # type: ignore[no-untyped-call]
                config_file=path, client_configuration=configuration, persist_config=False
            )
            namespace = str(loader.current_context["context"].get("namespace") or "")
    except (ConfigException, OSError, ValueError, AttributeError, TypeError) as error:
        # The loader fails with the latter two when the file is absent, empty or no mapping.
        raise NoCluster(
            "no Kubernetes API server is configured: run in a pod with a service account token, "
            "or set KUBECONFIG to the path of a kubeconfig file"
        ) from error
    # From 3.13 on Python refuses authorities without an RFC 5280 key identifier, which many
    # clusters have; client-go takes them. Chain and host name are verified all the same.
    configuration.disable_strict_ssl_verification = True
    return configuration, namespace or "default"


def in_cluster() -> bool:
    """Tell whether this process runs in a pod with a service account token."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (_SERVICE_ACCOUNT / "token").is_file()
