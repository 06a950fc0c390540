"""Counts tokens with a tokenizer whose ranks are part of its package, so that nothing is loaded."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

ENCODING = "o200k_base"
PACKAGE = "bpe-openai"


def tokenizer() -> str:
    """Return what is counted with.

    Raises:
        SystemExit: it is not installed.
    """
    try:
        return f"{ENCODING} of {PACKAGE} {version(PACKAGE)}"
    except PackageNotFoundError:
        raise SystemExit(f"{PACKAGE} is missing: run bin/bootstrap tokens first.") from None


def tokens(text: str) -> int:
    return len(_encoding().encode_ordinary(text))


def compact(value: Any) -> str:
    """Return JSON as it is sent: without spaces, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@cache
def _encoding() -> Any:
    # Everything but counting works without it, and so do its tests.
    import bpe_openai

    return bpe_openai.get_encoding(ENCODING)
