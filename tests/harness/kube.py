"""A Kubernetes client for tests, which sends raw JSON as one identity, and its kubeconfig."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import httpx

from harness.certificates import KeyPair

Object = dict[str, Any]
USER_AGENT = "productive-tests"
"""Distinguishes requests of a test from those of a program with the same account."""


class ApiRefused(AssertionError):
    """The API server answered with an error; has its HTTP status and the body."""

    def __init__(self, response: httpx.Response) -> None:
        request = response.request
        super().__init__(
            f"{request.method} {request.url.path}: {response.status_code} {response.text}"
        )
        self.status = response.status_code
        self.body = response.text


@dataclass(frozen=True, slots=True)
class Identity:
    """An account at a server, with a client certificate or a bearer token."""

    server: str
    authority: bytes
    namespace: str = "default"
    pair: KeyPair | None = None
    token: str | None = None

    def through(self, server: str, authority: bytes) -> Identity:
        """Return the same identity at the address of a proxy, with the proxy's authority."""
        return replace(self, server=server, authority=authority)

    def kubeconfig(self) -> str:
        """Return a kubeconfig document (JSON, which is YAML) with everything inline."""
        user: dict[str, str] = {}
        if self.token is not None:
            user["token"] = self.token
        if self.pair is not None:
            user["client-certificate-data"] = _base64(self.pair.certificate)
            user["client-key-data"] = _base64(self.pair.key)
        cluster = {"server": self.server, "certificate-authority-data": _base64(self.authority)}
        context = {"cluster": "test", "user": "test", "namespace": self.namespace}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "test",
                "clusters": [{"name": "test", "cluster": cluster}],
                "users": [{"name": "test", "user": user}],
                "contexts": [{"name": "test", "context": context}],
            },
            indent=1,
        )

    def write_kubeconfig(self, path: Path) -> Path:
        """Write the kubeconfig, readable by its owner only, and return the path."""
        path.touch(mode=0o600)
        path.write_text(self.kubeconfig())
        return path

    def tls(self, folder: Path) -> ssl.SSLContext:
        """Return the client's TLS settings; the key is written to `folder` for a moment."""
        context = ssl.create_default_context(cadata=self.authority.decode())
        if self.pair is not None:
            file = folder / "client.pem"
            file.touch(mode=0o600)
            file.write_bytes(self.pair.certificate + self.pair.key)
            context.load_cert_chain(file)
            file.unlink()
        return context


class Kube:
    """A synchronous client; each call returns the decoded object or raises ApiRefused."""

    def __init__(self, identity: Identity, folder: Path) -> None:
        self.identity = identity
        bearer = {"Authorization": f"Bearer {identity.token}"} if identity.token else {}
        self._http = httpx.Client(
            base_url=identity.server,
            verify=identity.tls(folder),
            headers={"User-Agent": USER_AGENT, **bearer},
            timeout=30,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        """Send one request and return the answer, whatever its status."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": content_type}
        return self._http.request(method, path, content=content, params=query, headers=headers)

    def get(self, path: str, **query: str) -> Object:
        return _decoded(self.ask("GET", path, query=query))

    def find(self, path: str) -> Object | None:
        """Return the object, or None if it does not exist."""
        response = self.ask("GET", path)
        return None if response.status_code == httpx.codes.NOT_FOUND else _decoded(response)

    def items(self, path: str, **query: str) -> list[Object]:
        return list(self.get(path, **query)["items"])

    def create(self, path: str, body: Object) -> Object:
        return _decoded(self.ask("POST", path, body))

    def replace(self, path: str, body: Object) -> Object:
        return _decoded(self.ask("PUT", path, body))

    def merge(self, path: str, body: Object) -> Object:
        """Change only the given fields (JSON merge patch)."""
        content_type = "application/merge-patch+json"
        return _decoded(self.ask("PATCH", path, body, content_type=content_type))

    def apply(self, path: str, body: Object, *, manager: str = "tests") -> Object:
        """Create or update by server-side apply."""
        response = self.ask(
            "PATCH",
            path,
            body,
            query={"fieldManager": manager, "force": "true"},
            content_type="application/apply-patch+yaml",
        )
        return _decoded(response)

    def delete(self, path: str) -> None:
        _decoded(self.ask("DELETE", path))

    def may(
        self, verb: str, resource: str, *, namespace: str, name: str = "", group: str = ""
    ) -> bool:
        """Report the decision of the authorizer; `resource` may be `resource/subresource`."""
        resource, _, subresource = resource.partition("/")
        attributes = {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
        answer = self.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
        return bool(answer["status"]["allowed"])


def secrets_path(namespace: str, name: str = "") -> str:
    """Return the path of the Secrets of a namespace, or of one of them."""
    return f"/api/v1/namespaces/{namespace}/secrets" + (f"/{name}" if name else "")


def secret(name: str, data: Mapping[str, bytes], *, kind: str = "Opaque") -> Object:
    """Return a Secret object; `kind` is its type."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": kind,
        "data": {key: _base64(value) for key, value in data.items()},
    }


def secret_data(found: Object) -> dict[str, bytes]:
    """Return the decoded data of a Secret object."""
    return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}


def _decoded(response: httpx.Response) -> Object:
    if response.is_error:
        raise ApiRefused(response)
    found: Object = response.json()
    return found


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
