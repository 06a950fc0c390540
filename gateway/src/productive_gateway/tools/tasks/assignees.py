"""People as arguments of tasks."""

from __future__ import annotations

from typing import Final

from productive_gateway.productive.records.people import PersonRef
from productive_gateway.tools.call import Call
from productive_gateway.tools.kit.errors import Problem, ToolError
from productive_gateway.tools.names.resolver import PEOPLE

NONE: Final = frozenset({"none", "nobody", "unassigned"})
"""Words that clear a value, because a null argument counts as left out."""


def is_none(text: str) -> bool:
    """Return whether a text means that there is to be no value."""
    return text.strip().casefold() in NONE


async def person_id(call: Call, text: str, field: str) -> str:
    """Return the id of the person that is meant.

    Raises:
        ToolError: no person fits, or more than one.
    """
    if text.strip().casefold() == "me":
        return call.me.person_id
    return (await call.names.one(PEOPLE, text, field)).id


async def assignee_of(call: Call, text: str, field: str) -> PersonRef:
    """Return a person who can do something.

    Raises:
        ToolError: no person fits, more than one, or the person is deactivated.
    """
    if text.strip().casefold() == "me":
        return PersonRef(id=call.me.person_id, name=call.me.name)
    person = await call.names.one(PEOPLE, text, field)
    if person.deactivated or person.archived:
        raise ToolError(
            Problem(
                "not_in_use",
                f"{person.name} ({person.id}) is deactivated.",
                "Ask the user for another person.",
                field=field,
            )
        )
    return PersonRef(id=person.id, name=person.name)
