"""Renders the mapping from files instead of a cluster, by the same decisions.

What the API server would add is added here: the position of an object in the files is its age, its
uid is derived from its name, and the rules of the CRD are applied. Used by `productive-operator
render` and by the local run of the product.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from productive_contract.clock import Clock, system_clock
from productive_contract.mapping import EMPTY, Mapping, Reason
from productive_contract.names import GROUP, KIND
from productive_operator.conditions import describe, is_ready
from productive_operator.offline.manifests import (
    Manifest,
    ManifestError,
    find_files,
    read_manifests,
    secret_data,
)
from productive_operator.resolve import resolve
from productive_operator.revision import next_revision
from productive_operator.size_limit import fit
from productive_operator.users import TokenSecret, User, decode_secret, decode_user

POLL_SECONDS: Final = 0.5

_EPOCH: Final = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """The decision about one ProductiveUser; it holds no token."""

    user: str
    """namespace/name."""
    email: str
    user_id: int | None
    reason: Reason
    message: str
    ready: bool
    """The Ready condition: whether the person is as the spec wants."""

    @property
    def usable(self) -> bool:
        """Whether the person can use Productive."""
        return self.reason is Reason.SYNCED


@dataclass(frozen=True, slots=True)
class Rendered:
    """The mapping of some files, and a row for each ProductiveUser in their order."""

    mapping: Mapping
    rows: tuple[Row, ...]


def render_files(
    paths: Sequence[Path], *, previous: Mapping = EMPTY, clock: Clock = system_clock
) -> Rendered:
    """Decide about the ProductiveUsers of files and folders.

    Args:
        paths: YAML files, or folders of them; the order is the age.
        previous: the previous mapping; its revision is kept if the content is the same.
        clock: for the revision.

    Raises:
        ManifestError: a file cannot be read or is wrong; the previous mapping stays valid.
    """
    manifests = read_manifests(paths)
    users = [
        _user(manifest, place) for place, manifest in enumerate(manifests) if manifest.kind == KIND
    ]
    secrets = [
        secret for manifest in manifests if manifest.kind != KIND and (secret := _secret(manifest))
    ]
    now = clock()
    fitted = fit(resolve(users, secrets), next_revision(previous.revision, now))
    moment = datetime.fromtimestamp(now, UTC)
    same = previous.revision > 0 and previous.people == fitted.mapping.people
    return Rendered(
        previous if same else fitted.mapping,
        tuple(
            Row(
                outcome.user.title,
                outcome.user.email,
                outcome.user.user_id,
                outcome.reason,
                describe(outcome, moment),
                is_ready(outcome),
            )
            for outcome in fitted.outcomes
        ),
    )


async def watch_files(
    paths: Sequence[Path], *, seconds: float = POLL_SECONDS
) -> AsyncGenerator[Rendered | ManifestError]:
    """Yield the result for the files as they are now, and again after each change of them.

    A wrong file is yielded as its error: what was yielded before stays valid.
    """
    previous = EMPTY
    before: object = None
    while True:
        state = _state(paths)
        if state != before:
            before = state
            try:
                rendered = render_files(paths, previous=previous)
            except ManifestError as error:
                yield error
            else:
                previous = rendered.mapping
                yield rendered
        await asyncio.sleep(seconds)


def _user(manifest: Manifest, place: int) -> User:
    title = f"{manifest.namespace}/{manifest.name}"
    metadata = {
        "namespace": manifest.namespace,
        "name": manifest.name,
        "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"https://{GROUP}/{title}")),
        "creationTimestamp": (_EPOCH + timedelta(seconds=place)).isoformat(),
    }
    user = decode_user({**manifest.body, "metadata": metadata}, strict=True)
    strangers = sorted(manifest.body.keys() - {"apiVersion", "kind", "metadata", "spec", "status"})
    return replace(user, problems=(*user.problems, *(f"{name} is not known" for name in strangers)))


def _secret(manifest: Manifest) -> TokenSecret | None:
    data = secret_data(manifest)
    if data is None:
        return None
    metadata = {"namespace": manifest.namespace, "name": manifest.name}
    return decode_secret({"metadata": metadata, "data": data})


def _state(paths: Sequence[Path]) -> object:
    """Return something that changes when a file does."""
    try:
        return [
            (file, status.st_mtime_ns, status.st_size, status.st_ino)
            for file in find_files(paths)
            for status in (file.stat(),)
        ]
    except (ManifestError, OSError) as error:
        return str(error)
