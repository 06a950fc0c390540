"""Reads objects for the checks, and tells apart what is absent and what may not be read."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from productive_kube.client import KubeClient, Query
from productive_kube.errors import ApiError, Forbidden, NotFound, Unreachable
from productive_operator.doctor.result import NotReadable

SECRETS: Final = "/api/v1/namespaces/{}/secrets"


class ClusterReader:
    """The API server, as a check sees it."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client

    async def find(self, path: str, right: str) -> dict[str, Any] | None:
        """Return an object, None if it does not exist.

        Args:
            path: of the object.
            right: what reading it needs, such as `get secrets in acme`.

        Raises:
            NotReadable: we may not.
            ApiError: the API server gave no usable answer.
        """
        try:
            return await self.client.get(path)
        except NotFound:
            return None
        except Forbidden as error:
            raise NotReadable(f"the right to {right}") from error

    async def items(self, path: str, right: str, *, query: Query = ()) -> list[dict[str, Any]]:
        """Return the objects of a collection; there are none of a kind that is not served.

        Args:
            path: of the collection.
            right: what reading it needs.
            query: selectors.

        Raises:
            NotReadable: we may not.
            ApiError: the API server gave no usable answer.
        """
        try:
            return list((await self.client.get(path, query=query)).get("items") or ())
        except Forbidden as error:
            raise NotReadable(f"the right to {right}") from error
        except Unreachable as error:
            if is_unknown_kind(error):
                return []
            raise

    async def review(self, kind: str, spec: dict[str, Any], right: str) -> dict[str, Any]:
        """Ask the authorizer; return the status of its answer.

        Args:
            kind: SelfSubjectAccessReview or SubjectAccessReview.
            spec: what is asked.
            right: what asking needs.

        Raises:
            NotReadable: we may not ask.
            ApiError: the API server gave no usable answer.
        """
        path = f"/apis/authorization.k8s.io/v1/{kind.lower()}s"
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
        try:
            return dict((await self.client.create(path, body))["status"])
        except Forbidden as error:
            raise NotReadable(f"the right to {right}") from error

    async def own_name(self) -> str | None:
        """Return the name that the API server knows us by; None if it does not say."""
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        try:
            answer = await self.client.create(
                "/apis/authentication.k8s.io/v1/selfsubjectreviews", body
            )
        except ApiError:
            return None
        return str(answer["status"]["userInfo"].get("username") or "") or None


def is_unknown_kind(error: Unreachable) -> bool:
    """Whether the API server does not know the kind: a 404 that is not about an object."""
    return error.status == HTTPStatus.NOT_FOUND
