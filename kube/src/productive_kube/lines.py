"""Lines from a stream of chunks, of any length.

A Secret of 1 MiB is one line of a watch, longer than the line readers of HTTP clients allow.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable


async def split_lines(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Yield each line without its end; skips empty ones, and yields an unended last one.

    Takes time linear in the bytes, however small the chunks are.
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
