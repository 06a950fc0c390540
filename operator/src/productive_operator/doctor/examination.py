"""All checks of one installation, in the order of the report."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from productive_kube.errors import ApiError
from productive_operator.doctor import clock, crd, people, provider, public_url, replicas, storage
from productive_operator.doctor.fetching import Answer, NoAnswer, Web
from productive_operator.doctor.installation import PROGRAMS, Installation
from productive_operator.doctor.reading import ClusterReader
from productive_operator.doctor.result import NotReadable, Result, not_checked, wrong
from productive_operator.doctor.rights import check_rights
from productive_operator.view import StoredMapping

_API: Final = "Check the connection to the API server, and its health: kubectl get --raw /readyz."


class Examination:
    """One run of all checks."""

    def __init__(
        self, reader: ClusterReader, web: Web, installation: Installation, *, inside: bool
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            reader: the API server.
            web: everything else.
            installation: what is examined.
            inside: whether we run in a pod of the cluster.
        """
        self._reader = reader
        self._web = web
        self._installation = installation
        self._inside = inside
        self._ahead: float | None = None
        """Seconds by which the API server's clock is ahead of ours."""
        self._mapping: StoredMapping | None = None
        self._current_key: str | None = None
        self._provider: Answer | None = None

    async def run(self) -> list[Result]:
        """Return the results of all checks."""
        checks: tuple[tuple[str, Callable[[], Awaitable[list[Result]]]], ...] = (
            (crd.TITLE, self._check_crd),
            (storage.NAMESPACES, self._check_namespaces),
            ("rights", self._check_rights),
            (people.MAPPING, self._check_mapping),
            (people.PEOPLE, self._check_people),
            (storage.QUOTA, self._check_quota),
            (storage.KEY_RING, self._check_key_ring),
            ("replicas", self._check_replicas),
            (provider.ISSUER, self._check_provider),
            (public_url.TITLE, self._check_public_url),
            (public_url.ROUTE, self._check_route),
        )
        self._ahead = await self._cluster_ahead()
        results: list[Result] = []
        for title, check in checks:
            try:
                results += await check()
            except NotReadable as error:
                results.append(not_checked(title, str(error)))
            except ApiError as error:
                results.append(wrong(title, f"the API server gave no usable answer: {error}", _API))
        ahead = None if self._provider is None else self._provider.ahead
        return [*results, *clock.judge_clocks(self._ahead, ahead)]

    @property
    def _now(self) -> float:
        """Unix seconds by the API server's clock."""
        return self._web.now() + (self._ahead or 0.0)

    async def _cluster_ahead(self) -> float | None:
        client = self._reader.client
        async with client.new_session() as session:
            try:
                answer = await Web(session, self._web.now).get(f"{client.server}/version")
            except NoAnswer:
                return None
        return answer.ahead

    async def _check_crd(self) -> list[Result]:
        return [await crd.check_crd(self._reader)]

    async def _check_namespaces(self) -> list[Result]:
        return [await storage.check_namespaces(self._reader, self._installation)]

    async def _check_rights(self) -> list[Result]:
        return await check_rights(self._reader, self._installation)

    async def _check_mapping(self) -> list[Result]:
        self._mapping = await people.read_mapping(self._reader, self._installation)
        return [people.judge_mapping(self._mapping, self._installation, self._now)]

    async def _check_people(self) -> list[Result]:
        return await people.check_people(self._reader, self._installation)

    async def _check_quota(self) -> list[Result]:
        return [await storage.check_quota(self._reader, self._installation)]

    async def _check_key_ring(self) -> list[Result]:
        secret = await storage.read_ring(self._reader, self._installation)
        self._current_key = storage.current_key(secret)
        return [storage.judge_ring(secret, self._installation, self._now)]

    async def _check_replicas(self) -> list[Result]:
        try:
            if self._installation.release is None:
                raise self._installation.needs()
            found = await replicas.read_replicas(self._reader, self._web, self._installation)
        except NotReadable as error:
            if not self._inside:
                raise
            found = await replicas.read_own(self._web, self._installation.ports["operator"])
            states = [replicas.judge_replicas("operator", found, self._now)] if found else []
            return [*states, not_checked(replicas.PROPAGATION, str(error))]
        published = people.published(self._mapping)
        revision = None if published is None else published.revision
        return [
            *(replicas.judge_replicas(program, found, self._now) for program in PROGRAMS),
            replicas.judge_propagation(revision, found, self._now),
            replicas.judge_keys_in_use(self._current_key, found),
        ]

    async def _check_provider(self) -> list[Result]:
        results, self._provider = await provider.check_provider(
            self._web, self._installation, inside=self._inside
        )
        return results

    async def _check_public_url(self) -> list[Result]:
        return await public_url.check_public_url(self._web, self._installation, inside=self._inside)

    async def _check_route(self) -> list[Result]:
        return [await public_url.check_route(self._reader, self._installation)]
