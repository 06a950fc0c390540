"""Where the API server is and who we are: the pod's service account, else a kubeconfig.

Called by `KubeClient.connect` only.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import InClusterConfigLoader
from yaml import YAMLError

from productive_kube.errors import NoCluster

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_DEFAULT_NAMESPACE: Final = "default"
_UNUSABLE: Final = (
    ConfigException,
    YAMLError,
    OSError,
    ValueError,
    # What the loader raises when the document is no mapping, or is one of another shape.
    AttributeError,
    LookupError,
    TypeError,
)


async def load_credentials(kubeconfig: Path | None) -> tuple[Configuration, str]:
    """Return the client configuration and our own namespace.

    Raises:
        NoCluster: neither source can be used.
    """
    # The library's own default host would get the token of a kubeconfig that names no server.
    configuration = Configuration(host="")
    # From 3.13 on Python refuses authorities without an RFC 5280 key identifier, which many
    # clusters have; client-go takes them. Chain and host name are verified all the same.
    configuration.disable_strict_ssl_verification = True
    files = None if kubeconfig is None and in_cluster() else str(kubeconfig or _default_files())
    try:
        if files is None:
            namespace = _load_service_account(configuration)
        else:
            namespace = await _load_kubeconfig(configuration, files)
        _check(configuration)
    except _UNUSABLE as error:
        # The texts of the loader may quote the file, with its token.
        raise NoCluster(_advice(files)) from error
    return configuration, namespace or _DEFAULT_NAMESPACE


def in_cluster() -> bool:
    """Tell whether this process runs in a pod with a service account token."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and (SERVICE_ACCOUNT / "token").is_file()


def _default_files() -> str:
    """Return the kubeconfig's path, or several as kubectl takes them."""
    return os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")


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


async def _load_kubeconfig(configuration: Configuration, files: str) -> str:
    # A pod has none.
    from kubernetes.aio.config.kube_config import load_kube_config

    # Without persist_config: a program does not write into a person's kubeconfig.
    loader = await load_kube_config(  # type: ignore[no-untyped-call]
        config_file=files, client_configuration=configuration, persist_config=False
    )
    return str(loader.current_context["context"].get("namespace") or "")


def _check(configuration: Configuration) -> None:
    """Find at the start what every request would fail with."""
    if not _is_web_address(configuration.host):
        raise ValueError
    if configuration.proxy is not None and not _is_web_address(configuration.proxy):
        raise NoCluster(
            "the kubeconfig's proxy-url cannot be used: it must begin with http:// or https://"
        )
    # It reads the certificates.
    RESTClientObject(configuration)


def _is_web_address(url: object) -> bool:
    if not isinstance(url, str):
        return False
    parts = urlsplit(url)
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _advice(files: str | None) -> str:
    if files is None:
        return (
            f"the service account cannot be used: mount a volume with token, ca.crt and namespace "
            f"at {SERVICE_ACCOUNT}"
        )
    if any(Path(file).expanduser().exists() for file in files.split(os.pathsep)):
        return (
            f"the kubeconfig {files} cannot be used: correct it (`kubectl cluster-info` shows what "
            "is wrong), or set KUBECONFIG to the path of another file"
        )
    return (
        "no Kubernetes API server is configured: run in a pod with a service account token, "
        "or set KUBECONFIG to the path of a kubeconfig file"
    )
