"""Reads the mapping of the Cloudflare Worker entry by entry: a wrong one stops no other.

The gateway refuses such a document as a whole; a person who moves it to a cluster wants to know
every mistake at once. No message here quotes a token, nor a key that may be one. Pure.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from productive_contract.email import EmailError, canonical_email
from productive_contract.mapping import Reason
from productive_contract.secret import Secret
from productive_operator.resolve import MAX_TOKEN, read_token
from productive_operator.users import MAX_USER_ID

_MAX_DIGITS: Final = len(str(MAX_USER_ID))
_FIELDS: Final = frozenset({"userId", "apiToken"})


class WorkerMappingError(Exception):
    """The document is not the Worker's; `str()` names the remedy and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One person of the document; `key` and `title` come from it unchecked."""

    place: int
    """Its position, from 1."""
    key: str
    """The e-mail address as written, or something else."""
    email: str | None
    """The canonical address; None if the key is not an address."""
    user_id: int | None
    token: Secret | None
    problems: tuple[str, ...] = ()
    """Why it cannot be imported, as messages without a full stop."""
    notes: tuple[str, ...] = ()
    """What to check although it can be."""

    @property
    def title(self) -> str:
        """How messages name it. A key without "@" is not shown: it may be a token."""
        place = f"entry {self.place}"
        return f"{place} ({json.dumps(self.key[:254])})" if "@" in self.key else place


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all its keys, repeated ones included."""


def read_worker_mapping(document: bytes) -> tuple[Entry, ...]:
    """Return all entries in their order, each with what is wrong with it.

    Raises:
        WorkerMappingError: it is not JSON, or another kind of document.
    """
    try:
        found = json.loads(document.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        # The causes are cut off: they hold the document.
        raise WorkerMappingError(f"line {error.lineno}: it is not JSON; correct it") from None
    except (ValueError, RecursionError):
        raise WorkerMappingError("it is not JSON; check that it is the right file") from None
    if not isinstance(found, _Pairs) or not found:
        raise WorkerMappingError(
            'it is empty or not an object; it must look like {"ana@example.com": {"userId": 9104, '
            '"apiToken": "..."}}'
        )
    if {"version", "users"} <= {key for key, _ in found}:
        raise WorkerMappingError(
            "it is a mapping of this operator, not of the Worker; use the ProductiveUsers that it "
            "was made from"
        )
    entries = [_entry(place, key, value) for place, (key, value) in enumerate(found, start=1)]
    return tuple(_with_notes(_resolve_repeated(entries)))


def _entry(place: int, key: str, value: Any) -> Entry:
    problems: list[str] = []
    email = _email(key, problems)
    if not isinstance(value, _Pairs):
        problems.append("it must be an object with userId and apiToken")
        return Entry(place, key, email, None, None, tuple(problems))
    fields = dict(value)
    if len(fields) < len(value):
        problems.append("one of its fields is repeated; remove one of them")
    return Entry(
        place,
        key,
        email,
        _user_id(fields.get("userId"), problems),
        _token(fields.get("apiToken"), problems),
        tuple(problems),
        ("only userId and apiToken are imported",) if fields.keys() - _FIELDS else (),
    )


def _email(key: str, problems: list[str]) -> str | None:
    try:
        return canonical_email(key)
    except EmailError as error:
        problems.append(f"{error}; write the address that the person signs in with")
        return None


def _user_id(value: Any, problems: list[str]) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_USER_ID:
        return value
    problems.append(
        "userId must be the number in the address of the person's page in Productive "
        "(.../people/9104)"
    )
    return None


def _token(value: Any, problems: list[str]) -> Secret | None:
    found = read_token(value) if isinstance(value, str) else Reason.TOKEN_EMPTY
    if isinstance(found, Secret):
        return found
    problems.append(
        "apiToken must be the person's token (in Productive: Settings, API integrations)"
        if found is Reason.TOKEN_EMPTY
        else f"apiToken is not a token: it is longer than {MAX_TOKEN} characters or has a space, "
        "control or non-ASCII character"
    )
    return None


def _resolve_repeated(entries: Iterable[Entry]) -> list[Entry]:
    """Keep one of equal entries; of different ones with one address keep none."""
    resolved: list[Entry] = []
    by_email = _grouped(entries, lambda entry: entry.email or f"#{entry.place}")
    for same in by_email.values():
        first, *others = same
        places = " and ".join(str(entry.place) for entry in same)
        message = f"{first.email} is in entries {places} with different content; keep one"
        if any((o.user_id, o.token) != (first.user_id, first.token) for o in others):
            resolved += [replace(e, problems=(*e.problems, message)) for e in same]
        elif first.problems:
            resolved += same
        else:
            resolved.append(first)
    return sorted(resolved, key=lambda entry: entry.place)


def _with_notes(entries: Iterable[Entry]) -> list[Entry]:
    noted = {entry.place: entry for entry in entries}
    shared_ids = _grouped((e for e in noted.values() if e.user_id), lambda entry: entry.user_id)
    for same in shared_ids.values():
        _note(noted, same, f"{len(same)} entries have userId {same[0].user_id}")
    tokens = _grouped(
        (e for e in noted.values() if e.token),
        lambda entry: entry.token.reveal() if entry.token else "",
    )
    for same in tokens.values():
        if len({entry.user_id for entry in same}) > 1:
            _note(
                noted,
                same,
                f"{len(same)} entries with different userIds have one token; it works only for the "
                "person who made it, so the others need one of their own",
            )
    return list(noted.values())


def _note(noted: dict[int, Entry], same: list[Entry], message: str) -> None:
    if len(same) > 1:
        for place in (entry.place for entry in same):
            noted[place] = replace(noted[place], notes=(*noted[place].notes, message))


def _grouped(
    entries: Iterable[Entry], key: Callable[[Entry], Hashable]
) -> dict[Hashable, list[Entry]]:
    groups: defaultdict[Hashable, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[key(entry)].append(entry)
    return groups
