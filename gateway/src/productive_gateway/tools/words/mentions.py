"""Mentions of people and of files in Productive's rich text, which are marks within the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_PERSON: Final = re.compile(r"@\[(?:Person|user):([0-9]{1,20}):([^\[\]\n]{1,200})\]", re.IGNORECASE)
_FILE: Final = re.compile(r"@\[(\{[^{}\n]{1,2000}\})\]")


@dataclass(frozen=True, slots=True)
class Mention:
    """A person who is mentioned."""

    person_id: str
    name: str

    @property
    def shown(self) -> str:
        """What people and models read: "@Ana Kovač (9104)"."""
        return f"@{self.name} ({self.person_id})"

    @property
    def mark(self) -> str:
        """What Productive takes: "@[Person:9104:Ana Kovač]"; it notifies the person."""
        return f"@[Person:{self.person_id}:{self.name}]"


def found_in(text: str) -> tuple[Mention, ...]:
    """Return the people who are mentioned in a text or HTML text, each once."""
    return tuple(dict.fromkeys(Mention(one[1], one[2].strip()) for one in _PERSON.finditer(text)))


def shown(text: str) -> str:
    """Return a text with its mentions as people read them."""
    text = _PERSON.sub(lambda found: Mention(found[1], found[2].strip()).shown, text)
    return _FILE.sub(_file, text)


def marked(text: str, mentions: Iterable[Mention]) -> str:
    """Return a text in which these mentions, as they are shown, are marks again."""
    for mention in mentions:
        text = text.replace(mention.shown, mention.mark)
    return text


def _file(found: re.Match[str]) -> str:
    try:
        mention = json.loads(found[1])
    except ValueError:
        return found[0]
    label = str(mention.get("label") or "file").strip()
    number = str(mention.get("id") or "")
    return f"[{label}] (attachment {number})" if number.isdecimal() else f"[{label}]"
