"""Follows the mapping Secret, so that a change or deletion by others is repaired at once.

It also notices that etcd was restored from a backup. Versions are etcd's revisions, which fall
then; and a watch from a version that the store has not reached is no error but silence, until it is
reached again. Our own watch lists again after a window without a word. Kopf's watches do not, so
the program ends, and the next one begins with lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from productive_kube.backoff import Backoff
from productive_kube.client import Listed
from productive_kube.collection import Change, Source
from productive_kube.reflector import Reflector
from productive_operator.view import StoredMapping

PAUSE_FROM: Final = 1.0
PAUSE_TO: Final = 10.0
"""Seconds between a window that failed and the next: from, doubling, to. The resync repairs
meanwhile."""


class StoreWentBack(Exception):
    """The cluster was restored from a backup, so that all watches have to begin anew."""


def follow_mapping(
    source: Source[StoredMapping],
    is_expected: Callable[[StoredMapping | None], bool],
    enqueue: Callable[[str], None],
) -> Reflector[StoredMapping]:
    """Return the watch of the mapping; its `run` raises `StoreWentBack`.

    Args:
        source: the mapping Secret.
        is_expected: whether it is as we left it.
        enqueue: asks for a pass, because of a change of that kind.
    """
    return Reflector(
        source,
        _Comparison(is_expected, enqueue),
        label="mapping",
        backoff=Backoff(PAUSE_FROM, PAUSE_TO),
    )


class _Comparison:
    """Asks for a pass whenever the mapping is not as expected."""

    def __init__(
        self,
        is_expected: Callable[[StoredMapping | None], bool],
        enqueue: Callable[[str], None],
    ) -> None:
        self._is_expected = is_expected
        self._enqueue = enqueue

    def replace(self, listed: Listed[StoredMapping], *, fell: bool) -> None:
        if fell:
            raise StoreWentBack(
                f"the cluster went back to version {listed.version}, as by a restore of etcd: the "
                "operator ends, to be started again and to read everything anew"
            )
        self._compare(listed.items[0] if listed.items else None)

    def apply(self, change: Change[StoredMapping]) -> None:
        self._compare(None if change.deleted else change.item)

    def _compare(self, stored: StoredMapping | None) -> None:
        if not self._is_expected(stored):
            self._enqueue("mapping")
