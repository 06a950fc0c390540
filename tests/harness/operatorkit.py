"""ProductiveUsers, token Secrets and a cluster in memory, for tests of the operator."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from productive_contract.mapping import Mapping as People
from productive_contract.mapping import decode
from productive_contract.names import MAPPING_TYPE, TOKEN_TYPE
from productive_kube.errors import ApiError, Conflict, NotFound
from productive_operator.conditions import Status, decode_status, encode_status
from productive_operator.users import TokenSecret, User, decode_secret, decode_user
from productive_operator.view import ListedUser, StoredMapping

EPOCH = datetime(2026, 11, 23, 9, tzinfo=UTC)
USERS = "acme-users"
TOKEN = "token-of-ana"

Object = dict[str, Any]


def never() -> bool:
    """Tell a pass that nothing changed since it began."""
    return False


def user_body(
    name: str = "ana", *, age: float = 0, uid: str | None = None, **spec: object
) -> Object:
    """Return a ProductiveUser as the API server would; `age` is seconds after EPOCH."""
    created = EPOCH + timedelta(seconds=age)
    whole = {
        "email": f"{name}@example.com",
        "userId": 9104,
        "apiTokenSecretRef": {"name": f"{name}-productive"},
        **spec,
    }
    return {
        "apiVersion": "productive-mcp.dev/v1alpha1",
        "kind": "ProductiveUser",
        "metadata": {
            "name": name,
            "namespace": USERS,
            "uid": uid or f"uid-of-{name}",
            "generation": 1,
            "creationTimestamp": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "spec": {key: value for key, value in whole.items() if value is not ...},
    }


def user(name: str = "ana", **spec: Any) -> User:
    return decode_user(user_body(name, **spec))


def secret_body(name: str = "ana-productive", **values: str) -> Object:
    """Return a token Secret; without values it has a token."""
    data = values or {"token": TOKEN}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": USERS},
        "type": TOKEN_TYPE,
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()},
    }


def token_secret(name: str = "ana-productive", **values: str) -> TokenSecret:
    return decode_secret(secret_body(name, **values))


class MemoryCluster:
    """What one or more operators see: objects, the mapping with its versions, and a write log."""

    def __init__(self) -> None:
        self.namespace = USERS
        self.bodies: dict[str, Object] = {}
        self.tokens: dict[str, Object] = {}
        self.others: dict[str, str] = {}
        """Type by name of Secrets that are not of the token type."""
        self.stored: StoredMapping | None = None
        self.writes: list[str] = []
        self.listed: list[str] = []
        """Names that were listed alone, and `*` for everything."""
        self.events: list[tuple[str, str]] = []
        self.failing: dict[str, ApiError] = {}
        """Error by method name, raised in place of it."""
        self.refusing: dict[str, ApiError] = {}
        """Error by name of the person whose status cannot be written."""
        self.tried: dict[str, int] = {}
        """How often a status was to be written, by name."""
        self._versions = itertools.count(1)

    def add(self, name: str, *, token: str | None = TOKEN, **spec: object) -> None:
        """Put a person there, with a token Secret unless told otherwise."""
        self.bodies[name] = user_body(name, **spec)  # type: ignore[arg-type]
        if token is not None:
            self.tokens[f"{name}-productive"] = secret_body(f"{name}-productive", token=token)

    def remove(self, name: str) -> None:
        del self.bodies[name]

    def people(self) -> People:
        """Return what is published."""
        assert self.stored is not None
        return decode(self.stored.data)

    def status(self, name: str) -> Status | None:
        return decode_status(self.bodies[name])

    def put_mapping(
        self, data: Mapping[str, bytes], kind: str = MAPPING_TYPE, *, immutable: bool = False
    ) -> None:
        """Write the mapping as somebody else."""
        uid = self.stored.uid if self.stored else f"mapping-{next(self._versions)}"
        self.stored = StoredMapping(uid, str(next(self._versions)), kind, dict(data), immutable)

    async def mapping(self) -> StoredMapping | None:
        self._fail("mapping")
        return self.stored

    async def make_mapping(self) -> StoredMapping:
        self._fail("make_mapping")
        self.writes.append("make_mapping")
        if self.stored is None:
            self.put_mapping({})
        assert self.stored is not None
        return self.stored

    async def users(self) -> list[ListedUser]:
        self._fail("users")
        self.listed.append("*")
        return [ListedUser(decode_user(b), decode_status(b)) for b in self.bodies.values()]

    async def secrets(self) -> list[TokenSecret]:
        self._fail("secrets")
        return [decode_secret(body) for body in self.tokens.values()]

    async def user(self, name: str) -> ListedUser | None:
        self._fail("user")
        self.listed.append(name)
        body = self.bodies.get(name)
        return ListedUser(decode_user(body), decode_status(body)) if body else None

    async def secret(self, name: str) -> TokenSecret | None:
        self._fail("secret")
        self.listed.append(name)
        body = self.tokens.get(name)
        return decode_secret(body) if body else None

    async def other_types(self) -> dict[str, str]:
        self._fail("other_types")
        return dict(self.others)

    async def publish(self, stored: StoredMapping, data: Mapping[str, bytes]) -> StoredMapping:
        self._fail("publish")
        self._compare(stored)
        self.writes.append("publish")
        kept = {key: value for key, value in stored.data.items() if not key.startswith("users.")}
        self.put_mapping({**kept, **data})
        assert self.stored is not None
        return self.stored

    async def drop_keys(self, stored: StoredMapping, keys: Collection[str]) -> StoredMapping:
        self._compare(stored)
        self.writes.append("drop_keys")
        self.put_mapping({key: value for key, value in stored.data.items() if key not in keys})
        assert self.stored is not None
        return self.stored

    async def set_status(self, user: User, status: Status) -> None:
        self.tried[user.name] = self.tried.get(user.name, 0) + 1
        self._fail("set_status")
        if user.name in self.refusing:
            raise self.refusing[user.name]
        if user.name not in self.bodies:
            raise NotFound("apply status", status=404)
        self.writes.append(f"status {user.name}")
        self.bodies[user.name]["status"] = encode_status(status)

    async def post_event(self, user: User, status: Status) -> None:
        self._fail("post_event")
        self.events.append((user.name, status.ready.reason))

    def _compare(self, read: StoredMapping) -> None:
        now = self.stored
        if now is None or (now.uid, now.resource_version) != (read.uid, read.resource_version):
            raise Conflict("apply mapping", status=409)

    def _fail(self, method: str) -> None:
        if method in self.failing:
            raise self.failing[method]
