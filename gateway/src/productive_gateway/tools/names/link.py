"""Web links of Productive: one table of their public forms, read in both directions.

Only links of the configured host and of this organization are accepted. The table holds the forms
that the vendor's code and public projects use. In a form, `{task}` is the id of the record that the
link leads to, `{}` an id that says nothing about it; `?page={page}` is a parameter that must be
there. An organization is `1200` or `1200-slug`; one tab, such as `/overview`, and other parameters
may follow every form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, urlsplit

from productive_gateway.tools.names.kinds import RecordKind

APP_HOST: Final = "app.productive.io"

_FORMS: Final = (
    "tasks/{task}",
    "tasks/task/{task}",
    "task/{task}",
    "m/task/{task}",
    "projects/{}/tasks/task/{task}",
    "projects/{project}",
    "projects/{project}/boards/{folder}",
    "deals/{deal}/budget?service={service}",
    "deals/{deal}",
    "d/deal/{deal}",
    "projects/budgets/d/deal/{deal}",
    "financials/budgets/d/deal/{deal}",
    "people/{person}",
    "companies/{company}",
    "docs/doc/{}?page={page}",
    "docs/doc/{page}",
    "pages/{page}",
    "services/{service}",
    "bookings/{booking}",
    "invoices/{invoice}",
    "expenses/{expense}",
)
"""A form with a parameter comes before the same form without."""

_PRINTED: Final[Mapping[RecordKind, str]] = {
    RecordKind.TASK: "tasks/{}",
    RecordKind.PROJECT: "projects/{}",
    RecordKind.BUDGET: "d/deal/{}",
    RecordKind.DEAL: "d/deal/{}",
    RecordKind.PERSON: "people/{}",
    RecordKind.COMPANY: "companies/{}",
    RecordKind.PAGE: "pages/{}",
    RecordKind.SERVICE: "services/{}",
    RecordKind.BOOKING: "bookings/{}",
    RecordKind.INVOICE: "invoices/{}",
    RecordKind.EXPENSE: "expenses/{}",
}

LINKED: Final = frozenset(_PRINTED)
"""The kinds of records that have a web link."""

_ID: Final = "[1-9][0-9]{0,17}"
_HOLE: Final = re.compile(r"\{([a-z]*)\}")
_ORGANIZATION: Final = re.compile(rf"({_ID})(?:-[^/]*)?")
_BLANK: Final = re.compile(r"[\s\x00-\x1f]")
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class LinkError(ValueError):
    """A link that cannot be used; the message says why, without quoting it."""


class OtherHost(LinkError):
    """The link leads to another host."""

    def __init__(self, host: str) -> None:
        super().__init__(f"The link does not lead to {host}.")


class OtherOrganization(LinkError):
    """The link leads to another organization."""

    def __init__(self, found: str, organization: str) -> None:
        super().__init__(
            f"The link leads to the organization {found}, but this connection is for the "
            f"organization {organization}."
        )
        self.found: Final = found


class NotOneRecord(LinkError):
    """The link leads to a list, a board, a report or a page of settings."""

    def __init__(self) -> None:
        super().__init__("The link does not lead to one record, but to a list or another view.")


class OtherKind(LinkError):
    """The link leads to a record of another kind."""

    def __init__(self, found: RecordKind, wanted: RecordKind) -> None:
        super().__init__(f"The link leads to {found.indefinite}, not to {wanted.indefinite}.")
        self.found: Final = found


@dataclass(frozen=True, slots=True)
class Link:
    """The record that a web link leads to."""

    kind: RecordKind
    id: str
    organization: str
    """The organization's id, without the slug."""


@dataclass(frozen=True, slots=True)
class _Form:
    path: re.Pattern[str]
    parameter: str | None
    kinds: tuple[RecordKind | None, ...]
    """What the holes are; None for an id that does not matter."""


def is_link(text: str, *, host: str = APP_HOST) -> bool:
    """Return whether a text is meant as a link, with or without `https://`."""
    return bool(_SCHEME.match(text)) or text.lower().startswith(f"{host.lower()}/")


def parse_link(
    text: str, *, organization: str, kind: RecordKind | None = None, host: str = APP_HOST
) -> Link:
    """Return the record that a link leads to.

    Args:
        text: the link, without anything around it.
        organization: this organization, as `1200` or `1200-slug`.
        kind: the kind that is wanted; None accepts all.
        host: the web application's host, with the port if it is not the usual one.

    Raises:
        OtherHost: it leads to another host.
        OtherOrganization: it leads to another organization.
        NotOneRecord: it leads to no single record, or it is no link.
        OtherKind: it leads to a record of another kind.
    """
    if _BLANK.search(text):
        raise NotOneRecord  # urlsplit would drop a line break and join the digits around it
    whole = text if _SCHEME.match(text) else f"https://{text}"
    try:
        parts = urlsplit(whole)
        parameters = parse_qs(parts.query)
    except ValueError as error:
        raise NotOneRecord from error
    default_port = {"https": ":443", "http": ":80"}.get(parts.scheme)
    if default_port is None or parts.netloc.lower().removesuffix(default_port) != host.lower():
        raise OtherHost(host)
    first, *path = [segment for segment in parts.path.split("/") if segment] or [""]
    found = _ORGANIZATION.fullmatch(first)
    if found is None:
        raise NotOneRecord
    ours = organization.partition("-")[0]
    if found[1] != ours:
        raise OtherOrganization(found[1], ours)
    return _chosen(_records("/".join(path), parameters), kind, ours)


def link_to(kind: RecordKind, record_id: str, organization: str, *, host: str = APP_HOST) -> str:
    """Return the link to a record in the form that answers show; `parse_link` reads it back.

    Args:
        kind: one of `LINKED`.
        record_id: the record's id.
        organization: `1200` or `1200-slug`.
        host: the web application's host.

    Raises:
        ValueError: records of this kind have no link of their own.
    """
    form = _PRINTED.get(kind)
    if form is None:
        raise ValueError(f"{kind.indefinite} has no link")
    return f"https://{host}/{organization}/{form.format(record_id)}"


def _chosen(
    records: list[tuple[RecordKind, str]], wanted: RecordKind | None, organization: str
) -> Link:
    if not records:
        raise NotOneRecord
    kind, number = records[0]
    if wanted is None:
        return Link(kind, number, organization)
    for kind, number in records:
        if wanted.named_by(kind):
            return Link(wanted, number, organization)
    raise OtherKind(records[0][0], wanted)


def _records(path: str, parameters: Mapping[str, list[str]]) -> list[tuple[RecordKind, str]]:
    """Return the records that a link names, first the one that it leads to."""
    for form in _READ:
        found = form.path.fullmatch(path)
        if found is None:
            continue
        ids = list(found.groups())
        if form.parameter is not None:
            values = set(parameters.get(form.parameter, ()))
            if not values:
                continue
            value = values.pop()
            if values or not re.fullmatch(_ID, value):
                return []
            ids.append(value)
        named = [(kind, one) for kind, one in zip(form.kinds, ids, strict=True) if kind]
        return named[::-1]
    return []


def _form(text: str) -> _Form:
    path, _, query = text.partition("?")
    kinds = tuple(RecordKind(name) if name else None for name in _HOLE.findall(text))
    pattern = _HOLE.sub(f"({_ID})", path) + "(?:/[a-z][a-z_-]*)?"
    return _Form(re.compile(pattern), query.partition("=")[0] or None, kinds)


_READ: Final = tuple(_form(text) for text in _FORMS)
