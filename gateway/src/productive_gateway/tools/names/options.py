"""The records that a reference may mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from productive_gateway.tools.names.kinds import RecordKind
from productive_gateway.tools.names.normal_form import NormalForm, normal_form
from productive_gateway.tools.names.reference import number_text
from productive_gateway.tools.words import untrusted

Inactivity = Literal["archived", "closed", "deactivated"]


@dataclass(frozen=True, slots=True)
class Place:
    """A record around another: the company of a project, the budget of a service."""

    name: str
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """A record that a reference may mean."""

    kind: RecordKind
    id: str
    name: str
    number: str | None = None
    """As Productive has it: a text of any format."""
    within: tuple[Place, ...] = ()
    """What it is in, outermost first."""
    email: str | None = None
    inactive: Inactivity | None = None
    """How it is no longer in use; None while it is."""
    remark: str | None = None
    """Something else that helps to choose, such as "25 h left"."""

    @property
    def label(self) -> str:
        """Name and id, as answers show them."""
        return f"{untrusted.name(self.name)} ({self.id})"

    @property
    def context(self) -> str | None:
        """What tells it apart from others of the same name."""
        number = number_text(self.kind, self.number) if self.number else None
        parts = [number, *(place.name for place in self.within), self.email]
        return ", ".join(part for part in (*parts, self.remark, self.inactive) if part) or None


class Options:
    """Records of one list, prepared for matching; keep it as long as the list itself."""

    def __init__(self, options: Iterable[Option]) -> None:
        # A list that changes while its pages are read can hold a record twice.
        self.all: Final = tuple({(one.kind, one.id): one for one in options}.values())
        self._ids: Final = _grouped((one.id, one) for one in self.all)
        self._numbers: Final = _grouped((_bare(one.number), one) for one in self.all)
        self._emails: Final = _grouped((one.email, one) for one in self.all)
        self.forms: Final[tuple[tuple[Option, NormalForm], ...]] = tuple(
            (one, normal_form(one.name)) for one in self.all
        )

    def with_id(self, record_id: str) -> tuple[Option, ...]:
        """Return the records with this id; records of different kinds may share one."""
        return self._ids.get(record_id, ())

    def with_number(self, number: str) -> tuple[Option, ...]:
        """Return the records with this number."""
        return self._numbers.get(_bare(number).casefold(), ())

    def with_email(self, email: str) -> tuple[Option, ...]:
        """Return the people with this address."""
        return self._emails.get(email.casefold(), ())


def _bare(number: str | None) -> str:
    return (number or "").strip().removeprefix("#")


def _grouped(pairs: Iterable[tuple[str | None, Option]]) -> Mapping[str, tuple[Option, ...]]:
    found: dict[str, tuple[Option, ...]] = {}
    for key, option in pairs:
        if key:
            key = key.strip().casefold()  # noqa: PLW2901  # the key in its one form
            found[key] = (*found.get(key, ()), option)
    return found
