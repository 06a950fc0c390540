"""What the mapping and the key ring have in common: one watched Secret, whose value has a bound.

Whether something is known to be revoked depends on both, so neither is used for longer than
`MAX_STALENESS` after it was last known to be the published one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar, Unpack

from productive_gateway.errors import Unavailable
from productive_gateway.watched.watched_secret import LastGood, WatchedSecret, WatchOptions
from productive_kube.client import KubeClient

Value = TypeVar("Value")


class SecretSource(Generic[Value]):
    """Follows one Secret and judges whether its last good value may still be used."""

    def __init__(
        self,
        client: KubeClient,
        namespace: str,
        name: str,
        good: LastGood[Value],
        *,
        title: str,
        supersedes: Callable[[Value, Value], bool],
        **options: Unpack[WatchOptions],
    ) -> None:
        """Read the mount, if there is one; `run` does the rest.

        Args:
            client: the API server.
            namespace: of the Secret.
            name: of the Secret.
            good: keeps its value.
            title: what it is, in messages to people.
            supersedes: see `WatchedSecret`.
            options: see `WatchOptions`.
        """
        self._title = title
        self._good = good
        self._secret = WatchedSecret(
            client, namespace, name, good, supersedes=supersedes, **options
        )

    @property
    def healthy(self) -> bool:
        """Whether the watch is healthy."""
        return self._secret.healthy

    @property
    def problem(self) -> str | None:
        """What is wrong with the published value; None while that one is in use."""
        return self._good.problem

    async def run(self) -> None:
        """Follow the Secret until cancelled."""
        await self._secret.run()

    def poll_mount(self) -> None:
        """Poll the mount once, and use what it holds if it may decide now."""
        self._secret.poll_mount()

    def _check_age(self) -> None:
        """Refuse a value that is too old.

        Raises:
            Unavailable: it has not been confirmed for too long.
        """
        if self._secret.is_stale:
            raise Unavailable(
                f"{self._title} could not be confirmed for some minutes, so nobody can be let in "
                "safely. Try again in a minute; if that does not help, tell your administrator "
                "that the gateway cannot reach the Kubernetes API.",
                reason=f"{self._good.name}_stale",
                retry_after=30,
            )
