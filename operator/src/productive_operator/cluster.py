"""Reads and writes the operator's objects: `view.ClusterView` over the Kubernetes API.

The paths and selectors here are all that the operator's Roles allow.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from productive_contract.mapping import format_time
from productive_contract.names import (
    GROUP,
    KIND,
    MAPPING_TYPE,
    OPERATOR_FIELD_MANAGER,
    PLURAL,
    TOKEN_TYPE,
    VERSION,
)
from productive_kube import collection
from productive_kube.client import KubeClient
from productive_kube.errors import NotFound
from productive_operator.conditions import Status, decode_status, encode_status
from productive_operator.users import TokenSecret, User, decode_secret, decode_user
from productive_operator.view import ListedUser, StoredMapping

API_VERSION: Final = f"{GROUP}/{VERSION}"
_MAKER: Final = f"{OPERATOR_FIELD_MANAGER}-init"
"""Field manager of the empty mapping. It owns no data, so making it never takes any away that
another operator published in between."""
TABLE: Final = "application/json;as=Table;v=v1;g=meta.k8s.io"
"""The representation that kubectl prints: with `includeObject=None` it holds no objects."""
_TOKENS: Final = (("fieldSelector", f"type={TOKEN_TYPE}"),)
_MAX_MESSAGE: Final = 1000
"""Characters of an Event's message; Kubernetes takes 1,024 bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the operator works."""

    users_namespace: str
    mapping_namespace: str
    mapping_name: str


class ClusterObjects:
    """The objects of one place."""

    def __init__(self, client: KubeClient, place: Place) -> None:
        self._client = client
        self._place = place
        namespace = place.users_namespace
        self._users = f"/apis/{API_VERSION}/namespaces/{namespace}/{PLURAL}"
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._events = f"/api/v1/namespaces/{namespace}/events"
        self._mappings = f"/api/v1/namespaces/{place.mapping_namespace}/secrets"
        self._mapping = f"{self._mappings}/{place.mapping_name}"
        self.mapping_source = collection.Collection(
            client, self._mappings, _stored, collection.by_name(place.mapping_name)
        )
        """The mapping Secret, to be followed by a reflector."""

    async def serves_users(self) -> bool:
        """Return whether the API server knows ProductiveUsers, that is, whether the CRD exists."""
        # The group's own address would answer with a page in place of a Status object, as a proxy
        # does that knows nothing of the cluster.
        served = await self._client.get("/apis")
        return any(
            group["name"] == GROUP and VERSION in (one["version"] for one in group["versions"])
            for group in served["groups"]
        )

    async def mapping(self) -> StoredMapping | None:
        try:
            return _stored(await self._client.get(self._mapping))
        except NotFound:
            return None

    async def make_mapping(self) -> StoredMapping:
        body = self._mapping_body({})
        return _stored(await self._client.apply(self._mapping, body, manager=_MAKER))

    @property
    def namespace(self) -> str:
        return self._place.users_namespace

    async def users(self) -> list[ListedUser]:
        return (await self._client.list(self._users, _listed)).items

    async def user(self, name: str) -> ListedUser | None:
        query = collection.by_name(name)
        found = (await self._client.list(self._users, _listed, query=query)).items
        return next((listed for listed in found if listed.user.name == name), None)

    async def secrets(self) -> list[TokenSecret]:
        return (await self._client.list(self._secrets, decode_secret, query=_TOKENS)).items

    async def secret(self, name: str) -> TokenSecret | None:
        query = (("fieldSelector", f"metadata.name={name},type={TOKEN_TYPE}"),)
        found = (await self._client.list(self._secrets, decode_secret, query=query)).items
        return next((secret for secret in found if secret.name == name), None)

    async def other_types(self) -> dict[str, str]:
        # Rows of a table, as kubectl prints them, and no object beside them: nothing of a Secret
        # but its name and type leaves the API server.
        query = (("fieldSelector", f"type!={TOKEN_TYPE}"), ("includeObject", "None"))
        table = await self._client.get(self._secrets, query=query, accept=TABLE)
        names = [column["name"] for column in table.get("columnDefinitions") or ()]
        if not {"Name", "Type"} <= set(names):
            return {}
        name, kind = names.index("Name"), names.index("Type")
        cells = (row["cells"] for row in table.get("rows") or ())
        return {str(row[name]): str(row[kind]) for row in cells}

    async def publish(self, stored: StoredMapping, data: Mapping[str, bytes]) -> StoredMapping:
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        body = self._mapping_body(_precondition(stored)) | {"data": encoded}
        return _stored(await self._apply(self._mapping, body))

    async def drop_keys(self, stored: StoredMapping, keys: Collection[str]) -> StoredMapping:
        body = {"metadata": _precondition(stored), "data": dict.fromkeys(keys)}
        return _stored(
            await self._client.merge(self._mapping, body, manager=OPERATOR_FIELD_MANAGER)
        )

    async def set_status(self, user: User, status: Status) -> None:
        body = {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {"name": user.name, "namespace": user.namespace, "uid": user.uid},
            "status": encode_status(status),
        }
        await self._apply(f"{self._users}/{user.name}/status", body)

    async def post_event(self, user: User, status: Status) -> None:
        await self._client.create(self._events, _event(user, status))

    async def _apply(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        return await self._client.apply(path, body, manager=OPERATOR_FIELD_MANAGER)

    def _mapping_body(self, precondition: Mapping[str, str]) -> dict[str, Any]:
        place = self._place
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": place.mapping_name,
                "namespace": place.mapping_namespace,
                **precondition,
            },
            "type": MAPPING_TYPE,
        }


def _listed(body: Mapping[str, Any]) -> ListedUser:
    return ListedUser(decode_user(body), decode_status(body))


def _precondition(stored: StoredMapping) -> dict[str, str]:
    # The uid matters: with a resourceVersion alone, server-side apply creates an object that was
    # deleted in between, from a view as old as that version.
    return {"uid": stored.uid, "resourceVersion": stored.resource_version}


def _stored(body: dict[str, Any]) -> StoredMapping:
    metadata = body["metadata"]
    return StoredMapping(
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        type=body.get("type", ""),
        data=collection.secret_data(body),
        immutable=body.get("immutable") is True,
    )


def _event(user: User, status: Status) -> dict[str, Any]:
    now = format_time(datetime.now(UTC))
    message = status.ready.message
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "productiveuser-", "namespace": user.namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "namespace": user.namespace,
            "name": user.name,
            "uid": user.uid,
        },
        "type": "Normal" if status.ready.true else "Warning",
        "reason": status.ready.reason,
        "message": message if len(message) <= _MAX_MESSAGE else f"{message[: _MAX_MESSAGE - 1]}…",
        "source": {"component": OPERATOR_FIELD_MANAGER},
        "reportingComponent": OPERATOR_FIELD_MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
