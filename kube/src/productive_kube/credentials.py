"""Where the API server is and who we are: the pod's service account, else a kubeconfig.

Called by `KubeClient.connect` only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from kubernetes.aio.config.kube_config import load_kube_config
from yaml import YAMLError

from productive_kube.errors import NoCluster

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_DEFAULT_NAMESPACE: Final = "default"


async def load_credentials(kubeconfig: Path | None) -> tuple[Configuration, str]:
    """Return the client configuration and our own namespace.

    Raises:
        NoCluster: neither source can be used.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None and in_cluster():
            namespace = _load_service_account(configuration)
        else:
            path = str(kubeconfig or os.environ.get("KUBECONFIG") or Path.home() / ".kube/config")
            namespace = await _load_kubeconfig(configuration, path)
    except (ConfigException, YAMLError, OSError, ValueError, AttributeError, TypeError) as error:
        # The loader fails with the last two when the file is absent, empty or no mapping.
        raise NoCluster(
            "no Kubernetes API server is configured: run in a pod with a service account token, "
            "or set KUBECONFIG to the path of a kubeconfig file"
        ) from error
    # From 3.13 on Python refuses authorities without an RFC 5280 key identifier, which many
    # clusters have; client-go takes them. Chain and host name are verified all the same.
    configuration.disable_strict_ssl_verification = True
    return configuration, namespace or _DEFAULT_NAMESPACE


def in_cluster() -> bool:
    """Tell whether this process runs in a pod with a service account token."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (SERVICE_ACCOUNT / "token").is_file()


def _load_service_account(configuration: Configuration) -> str:
    token = SERVICE_ACCOUNT / "token"
    loader = InClusterConfigLoader(  # type: ignore[no-untyped-call]
        str(token), str(SERVICE_ACCOUNT / "ca.crt"), try_refresh_token=False
    )
    loader.load_and_set(configuration)  # type: ignore[no-untyped-call]

    def read_token(configuration: Configuration) -> None:
        # For each request: the kubelet rotates the token, and the file is in memory.
        configuration.api_key["BearerToken"] = f"Bearer {token.read_text().strip()}"

    configuration.refresh_api_key_hook = read_token  # type: ignore[assignment]
    return (SERVICE_ACCOUNT / "namespace").read_text().strip()


async def _load_kubeconfig(configuration: Configuration, path: str) -> str:
    # Without persist_config: a program does not write into a person's kubeconfig.
    loader = await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=path, client_configuration=configuration, persist_config=False
    )
    return str(loader.current_context["context"].get("namespace") or "")
