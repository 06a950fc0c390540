"""Turns the Cloudflare Worker's mapping into manifests, for `productive-operator import`.

The result is what an administrator would have written by hand: one ProductiveUser and one token
Secret for each person, without a namespace.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from productive_contract.names import DEFAULT_TOKEN_KEY, GROUP, KIND, TOKEN_TYPE, VERSION
from productive_contract.secret import Secret
from productive_operator.offline.manifests import SUFFIXES
from productive_operator.offline.object_names import object_names
from productive_operator.offline.private_file import write_privately
from productive_operator.offline.worker_mapping import read_worker_mapping

SEPARATOR: Final = "---\n"

_TEMPLATE: Final = """\
apiVersion: {api_version}
kind: {kind}
metadata:
  name: {name}
spec:
  email: {email}
  userId: {user_id}
  apiTokenSecretRef:
    name: {secret}
---
apiVersion: v1
kind: Secret
metadata:
  name: {secret}
type: {type}
data:
  {key}: {token}
"""


class FolderInUse(Exception):
    """The folder holds other manifests; `str()` names one and the remedy."""


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person who can be imported."""

    name: str
    """Of the ProductiveUser."""
    email: str
    user_id: int
    token: Secret

    @property
    def secret(self) -> str:
        """Name of the token Secret."""
        return f"{self.name}-productive"


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of an import, and the messages about it."""

    people: tuple[NewPerson, ...]
    problems: tuple[str, ...]
    """One message for each reason why an entry is left out."""
    notes: tuple[str, ...]
    """What to check in entries that are imported."""


def plan_import(document: bytes) -> Plan:
    """Decide what the Worker's mapping becomes.

    Raises:
        WorkerMappingError: it is another kind of document.
    """
    entries = read_worker_mapping(document)
    # Entries that are left out keep a name: when one is corrected, no other name changes.
    names = object_names(entry.email for entry in entries if entry.email)
    people: list[NewPerson] = []
    for entry in entries:
        email, user_id, token = entry.email, entry.user_id, entry.token
        if not entry.problems and email and user_id and token:
            people.append(NewPerson(names[email], email, user_id, token))
    return Plan(
        tuple(people),
        tuple(f"{e.title}: {problem}." for e in entries for problem in e.problems),
        tuple(f"{e.title}: {note}." for e in entries if not e.problems for note in e.notes),
    )


def manifest_text(person: NewPerson) -> str:
    """Return the two objects of one person as YAML, token included.

    All texts are quoted: YAML readers differ in what they take for a number.
    """
    token = base64.b64encode(person.token.reveal().encode()).decode()
    return _TEMPLATE.format(
        api_version=f"{GROUP}/{VERSION}",
        kind=KIND,
        name=json.dumps(person.name),
        email=json.dumps(person.email),
        user_id=person.user_id,
        secret=json.dumps(person.secret),
        type=TOKEN_TYPE,
        key=DEFAULT_TOKEN_KEY,
        token=json.dumps(token),
    )


def write_manifests(people: Sequence[NewPerson], out: Path) -> None:
    """Write the manifests with mode 0600.

    Args:
        people: at least one.
        out: a path that ends like a YAML file becomes one; any other is a folder, made when it is
            missing, with a file for each person.

    Raises:
        FolderInUse: the folder holds other manifests, which would be applied along with ours.
        OSError: it cannot be written.
    """
    if out.suffix in SUFFIXES and not out.is_dir():
        write_privately(out, SEPARATOR.join(map(manifest_text, people)).encode())
        return
    files = {out / f"{person.name}.yaml": person for person in people}
    out.mkdir(mode=0o700, exist_ok=True)
    for found in sorted(out.iterdir()):
        if found.suffix in SUFFIXES and found not in files:
            raise FolderInUse(
                f"{found} is not part of this import, and kubectl apply -f {out} would apply it "
                "too: choose an empty folder, or move that file away"
            )
    for file, person in files.items():
        write_privately(file, manifest_text(person).encode())
