"""Sealed cursors: a list's next page, for the same person, tool and arguments only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from productive_gateway.sealing.errors import SealError
from productive_gateway.sealing.keys import KeyRing
from productive_gateway.sealing.purposes import Purpose
from productive_gateway.sealing.seal import frame, seal, unseal
from productive_gateway.tools.kit.errors import Problem, ToolError

_NOT_COMPARED: Final = frozenset({"cursor"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page is: of whom, in what list."""

    person: str
    """Uid of the person."""
    tool: str
    arguments: bytes
    """Digest of the arguments, without the cursor."""

    def bound(self) -> bytes:
        """Return what a cursor is bound to."""
        return frame(self.person.encode(), self.tool.encode(), self.arguments)


def digest_of(arguments: Mapping[str, Any]) -> bytes:
    """Return a digest of arguments that were read, whatever their order."""
    kept = {
        name: value
        for name, value in arguments.items()
        if name not in _NOT_COMPARED and value is not None
    }
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).digest()


def cursor_of(ring: KeyRing, place: Place, number: int) -> str:
    """Return the cursor of a page.

    Args:
        ring: seals it.
        place: the list.
        number: of the page, from 1.
    """
    return seal(ring, Purpose.CURSOR, str(number).encode(), bound=place.bound())


def page_of(ring: KeyRing, place: Place, cursor: str | None) -> int:
    """Return the number of the page that a cursor names; 1 without a cursor.

    Raises:
        ToolError: the cursor is of another list, person or arguments, or no cursor at all.
    """
    if cursor is None:
        return 1
    try:
        return int(unseal(ring, Purpose.CURSOR, cursor, bound=place.bound()))
    except (SealError, ValueError) as error:
        raise ToolError(
            Problem(
                "invalid_value",
                "This cursor does not belong to these arguments.",
                "Pass next_cursor of the answer before with the very same other arguments, or "
                "leave cursor out to begin again.",
                field="cursor",
            )
        ) from error
