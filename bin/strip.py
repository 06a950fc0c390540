"""`strip.py ENVIRONMENT`: cut off from extension modules what only debuggers read.

Some wheels bring it along: of uvloop it is nine tenths. As binutils' `strip --strip-all`, which the
base images do not have: the loader follows segments, and what is after the last of them, it never
reads.
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path

_64_BIT_LITTLE_ENDIAN = b"\x7fELF\x02\x01"
_TABLES = struct.Struct("<32x Q Q 6x H H")
"""Of the header (elf(5)): where segments and sections are listed, size and number of segments."""
_SEGMENT = struct.Struct("<8x Q 16x Q 16x")
"""Where a segment is in the file, and how long it is there."""


def stripped(program: bytes) -> bytes:
    """Return a program or library without its sections: its segments alone.

    One of another kind than 64 bits and little-endian is returned as it is.
    """
    if not program.startswith(_64_BIT_LITTLE_ENDIAN):
        return program
    segments, sections, size, count = _TABLES.unpack_from(program)
    places = (_SEGMENT.unpack_from(program, segments + size * one) for one in range(count))
    end = max(offset + length for offset, length in places)
    if sections < end:
        return program
    kept = bytearray(program[:end])
    struct.pack_into("<Q", kept, 0x28, 0)
    struct.pack_into("<HH", kept, 0x3C, 0, 0)
    return bytes(kept)


def strip(environment: Path) -> None:
    """Do so for all extension modules and libraries of a virtual environment."""
    for path in environment.glob("lib/python3.*/site-packages/**/*.so*"):
        path.write_bytes(stripped(path.read_bytes()))


if __name__ == "__main__":
    strip(Path(sys.argv[1]))
