"""The name that a client gives itself, made fit to be shown.

Anybody may register any name, so it is shown as unverified; it must also not reach out of its line:
no controls, no direction marks that turn the text around, nothing invisible, nothing long.
"""

from __future__ import annotations

import unicodedata
from typing import Final

MAX_LENGTH: Final = 80
UNNAMED: Final = "An app without a name"


def shown_name(text: str) -> str:
    """Return the name without control, format, surrogate and private characters, in 80 at most."""
    visible = "".join(
        " " if unicodedata.category(character).startswith("Z") else character
        for character in text[: MAX_LENGTH * 8].replace("\n", " ").replace("\t", " ")
        if not unicodedata.category(character).startswith("C")
    )
    name = " ".join(visible.split())
    if len(name) > MAX_LENGTH:
        name = name[: MAX_LENGTH - 1].rstrip() + "…"
    return name or UNNAMED
