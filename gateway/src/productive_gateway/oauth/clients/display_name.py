"""The name that a client gives itself, made safe to show.

Anybody may register any name, so it is shown as unverified. It must not affect the text around it:
no control characters, no marks that reverse the direction of writing, nothing invisible, nothing
long.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_LENGTH: Final = 80
UNNAMED: Final = "An app without a name"


def shown_name(text: str) -> str:
    """Return at most 80 characters of the name, without control, format and private ones."""
    visible = "".join(
        " " if unicodedata.category(character).startswith("Z") else character
        for character in text[: MAX_LENGTH * 8].replace("\n", " ").replace("\t", " ")
        if not unicodedata.category(character).startswith("C")
    )
    name = " ".join(visible.split())
    if len(name) > MAX_LENGTH:
        name = name[: MAX_LENGTH - 1].rstrip() + "…"
    return name or UNNAMED
