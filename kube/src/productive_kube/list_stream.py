"""Decodes what the API server sends while it comes in: the objects of a list, and lines.

So thousands of objects are never in memory at once, and the API server can go on writing. The
items may be anywhere among the other fields: of custom resources they come first. Pure.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from typing import Any, Final

_ITEMS: Final = re.compile(r'"items"\s*:\s*\[')
_BETWEEN: Final = frozenset(", \t\r\n")
_DECODER: Final = json.JSONDecoder()


class MalformedList(Exception):
    """The bytes are not a list of objects, or only a part of one."""


class ListReader:
    """Reads one list: `feed` all of it, then ask for the `end`.

    Both raise `MalformedList`. The objects count only when neither did.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._head: str | None = None
        """Everything before the items, with their bracket."""
        self._text = ""
        """Text that was not decoded yet."""

    def feed(self, part: bytes) -> Iterator[dict[str, Any]]:
        """Yield each object that is complete with this part."""
        try:
            self._text += self._decoder.decode(part)
        except UnicodeDecodeError as error:
            raise MalformedList from error
        if self._head is None:
            begin = _ITEMS.search(self._text)
            if begin is None:
                return
            self._head, self._text = self._text[: begin.end()], self._text[begin.end() :]
        at = 0
        while True:
            try:
                item, at = _DECODER.raw_decode(self._text, _next(self._text, at))
            except RecursionError as error:
                raise MalformedList from error
            except ValueError:
                # Either there are no more objects, or the next one is not complete yet.
                break
            if not isinstance(item, dict):
                raise MalformedList
            yield item
        self._text = self._text[at:]

    def end(self) -> dict[str, Any]:
        """Return the list without its objects."""
        # Any remainder of the objects makes this invalid JSON, or a list that is not empty.
        try:
            rest = json.loads(
                (self._head or "") + self._text + self._decoder.decode(b"", final=True)
            )
        except (ValueError, RecursionError) as error:
            raise MalformedList from error
        if not isinstance(rest, dict) or rest.get("items", ()) not in ([], None):
            raise MalformedList
        return rest


def _next(text: str, at: int) -> int:
    """Return where the next object begins."""
    while text[at : at + 1] in _BETWEEN:
        at += 1
    return at


async def split_lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield each line that is not empty, without its newline; the last one may lack it.

    A Secret of 1 MiB is one line of a watch, longer than the line readers of HTTP clients allow.
    The time is linear in the bytes, however small the chunks are.
    """
    begun: list[bytes] = []
    async for chunk in chunks:
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line = b"".join([*begun, part])
            begun.clear()
            if line:
                yield line
        if rest:
            begun.append(rest)
    if begun:
        yield b"".join(begun)
