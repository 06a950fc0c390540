"""A request as far as the API looks at it, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from productive_dev.simulator.query.paging import Address

MEDIA_TYPE: Final = "application/vnd.api+json"


@dataclass(frozen=True, slots=True)
class Call:
    """A request."""

    method: str
    path: str
    """Below /api/v2, without a slash at its ends."""
    url: str
    """Its address without the query, which links begin with."""
    pairs: tuple[tuple[str, str], ...]
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def address(self) -> Address:
        """Return where links begin."""
        return Address(self.url, self.pairs)

    @property
    def has_media_type(self) -> bool:
        """Tell whether the body is of the API's media type."""
        return _media(self.headers.get("content-type", "")) == MEDIA_TYPE

    @property
    def is_bulk(self) -> bool:
        """Tell whether the body is of the bulk media type."""
        return self.has_media_type and _is_bulk(self.headers.get("content-type", ""))

    @property
    def accepts_bulk(self) -> bool:
        """Tell whether the client takes the bulk media type."""
        accept = self.headers.get("accept", "")
        return _media(accept) == MEDIA_TYPE and _is_bulk(accept)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a document; None is an answer without body or content type."""

    status: int
    document: dict[str, Any] | None


def _media(value: str) -> str:
    return value.partition(";")[0].strip().lower()


def _is_bulk(value: str) -> bool:
    parameters = [part.strip().replace('"', "").lower() for part in value.split(";")[1:]]
    return "ext=bulk" in parameters
