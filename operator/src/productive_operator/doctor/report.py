"""The results as lines for a person, and as JSON for a script."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Final

from productive_operator.doctor.result import Outcome, Result

_MARKS: Final = {
    Outcome.OK: "✓",
    Outcome.WARNING: "!",
    Outcome.WRONG: "✗",
    Outcome.NOT_CHECKED: "-",
}
_PLAIN: Final = {**_MARKS, Outcome.OK: "ok", Outcome.WRONG: "X"}
_WIDTH: Final = 100
_INDENT: Final = "    "


def exit_status(results: Sequence[Result]) -> int:
    """Return 0 if nothing is wrong, 1 for warnings only, 2 if something is wrong."""
    found = {one.outcome for one in results}
    if Outcome.WRONG in found:
        return 2
    return 1 if Outcome.WARNING in found else 0


def as_text(results: Sequence[Result], encoding: str | None) -> str:
    """Return a line for each check, and its remedy below it.

    Args:
        results: of all checks.
        encoding: of the terminal; one without our marks gets plain ones.
    """
    marks = _MARKS if _can_encode("".join(_MARKS.values()), encoding) else _PLAIN
    width = max(map(len, marks.values()))
    lines = []
    for one in results:
        state = f"{one.outcome.value}: " if one.outcome is Outcome.NOT_CHECKED else ""
        lines.append(f"{marks[one.outcome]:<{width}} {one.title}: {state}{one.words}")
        # Commands in a remedy are to be copied: no line is broken inside a word.
        lines += textwrap.wrap(
            one.remedy,
            _WIDTH,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    counted = Counter(one.outcome for one in results)
    summary = ", ".join(f"{counted[one]} {one.value}" for one in Outcome if counted[one])
    text = "\n".join([*lines, "", f"{summary}."]) + "\n"
    if not _can_encode("…", encoding):
        text = text.replace("…", "...")
    encoding = encoding or "ascii"
    return text.encode(encoding, "replace").decode(encoding)


def as_json(results: Sequence[Result]) -> str:
    """Return the results as one JSON object."""
    checks = [
        {
            "title": one.title,
            "outcome": one.outcome.value,
            "words": one.words,
            "remedy": one.remedy,
        }
        for one in results
    ]
    document = {"exitStatus": exit_status(results), "checks": checks}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _can_encode(text: str, encoding: str | None) -> bool:
    try:
        text.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
