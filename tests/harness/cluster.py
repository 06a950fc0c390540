"""What a test gets of the control plane: three namespaces, and accounts for the programs."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from harness.certificates import Authority
from harness.kube import Identity, Kube, secret, secrets_path
from harness.namespaces import Namespaces, new_namespaces
from harness.plane import Plane
from harness.processes import new_folder, remove_folder
from harness.proxy import RecordingProxy
from harness.rights import Account, grant_rights


class Cluster:
    """The namespaces and accounts of one installation; accounts are created on first use."""

    def __init__(self, plane: Plane, *, release: str | None = None) -> None:
        self.plane = plane
        self.kube: Kube = plane.kube
        self.names: Namespaces = new_namespaces(plane.kube, release)
        self.folder = new_folder(self.names.release)
        self._accounts: dict[Account, Identity] = {}
        self._open = ExitStack()
        self._open.callback(remove_folder, self.folder)

    def close(self) -> None:
        """Close clients and proxies and remove the folder; the namespaces stay."""
        self._open.close()

    def account(self, name: Account) -> Identity:
        """Return an account with the rights that the chart grants it."""
        if name not in self._accounts:
            self._accounts[name] = grant_rights(self.plane, self.names, name)
        return self._accounts[name]

    def client(self, name: Account) -> Kube:
        """Return an API client with the rights of this account."""
        return self._open.enter_context(self.plane.client(self.account(name)))

    def proxy(self, *, key_identifiers: bool = True) -> RecordingProxy:
        """Start a recording proxy that is closed at the end of the test.

        Args:
            key_identifiers: False gives it an authority and a certificate without key identifiers,
                like those of many clusters. Before Python 3.13 this makes a difference only with
                `harness.stricttls`.
        """
        authority = None if key_identifiers else Authority("older", key_identifiers=False)
        return self._open.enter_context(RecordingProxy(self.plane, authority=authority))

    def kubeconfig(
        self, name: Account | None = None, *, proxy: RecordingProxy | None = None
    ) -> Path:
        """Write a kubeconfig: the account's or, without a name, the administrator's.

        The administrator's has the users namespace as its default.
        """
        admin = replace(self.plane.admin, namespace=self.names.users)
        identity = admin if name is None else self.account(name)
        suffix = ""
        if proxy is not None:
            identity = proxy.identity(identity)
            suffix = f"-{proxy.port}"
        path = self.folder / f"{name or 'admin'}{suffix}.kubeconfig"
        return identity.write_kubeconfig(path)

    def make_empty_mapping(self) -> None:
        """Create the mapping Secret without data, as the chart does."""
        body = secret(self.names.mapping, {}, kind="productive-mcp.dev/mapping")
        del body["data"]
        self.kube.create(secrets_path(self.names.release), body)
