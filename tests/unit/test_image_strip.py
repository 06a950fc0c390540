"""What `bin/strip.py` leaves of extension modules."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from pathlib import Path

import uvloop
from bin.strip import strip, stripped

MODULE = Path(uvloop.loop.__file__)
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import asyncio, uvloop
print(uvloop.loop.__file__, uvloop.run(asyncio.sleep(0, "it runs")))
"""


def test_an_extension_module_works_without_what_debuggers_read(tmp_path: Path) -> None:
    site = tmp_path / "lib" / "python3.13" / "site-packages"
    shutil.copytree(MODULE.parent, site / "uvloop")
    strip(tmp_path)
    made = site / "uvloop" / MODULE.name
    assert made.stat().st_size < MODULE.stat().st_size / 4
    done = subprocess.run(
        (sys.executable, "-c", RUN, site), capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"{made} it runs"


def test_nothing_is_left_to_strip_the_second_time() -> None:
    once = stripped(MODULE.read_bytes())
    assert stripped(once) == once


def test_another_kind_of_file_stays_as_it_is() -> None:
    for content in (b"", b"INPUT(libm.so.6)\n", b"\x7fELF\x01\x01" + bytes(60)):
        assert stripped(content) == content


def test_a_program_whose_sections_are_before_its_segments_stays_as_it_is() -> None:
    program = bytearray(stripped(MODULE.read_bytes()))
    struct.pack_into("<Q", program, 0x28, 64)
    assert stripped(bytes(program)) == bytes(program)
