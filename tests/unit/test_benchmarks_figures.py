"""What benchmarks compute with: the kernel's account of processes, quantiles, pictures."""

from __future__ import annotations

import os
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest
from benchmarks.figures.processes import cpu_seconds, parse_stat, session_of
from benchmarks.figures.quantile import quantile
from benchmarks.figures.svg import LogAxis, document, text
from hypothesis import given
from hypothesis import strategies as st

LINE = (
    "{pid} ({name}) S 1 4711 4712 0 -1 4194304 100 0 0 0 250 50 9 9 20 0 1 0 12345 99999999 2560 "
    "18446744073709551615 1 1 0 0 0 0 0 0 0\n"
)


@given(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=15))
def test_stat_is_read_whatever_the_program_is_called(name: str) -> None:
    stat = parse_stat(LINE.format(pid=1, name=name))
    assert stat.session == 4712
    assert stat.cpu_seconds == 300 / os.sysconf("SC_CLK_TCK")
    assert stat.resident_bytes == 2560 * os.sysconf("SC_PAGESIZE")


def test_session_has_a_program_and_what_it_started() -> None:
    # The shell has to wait for the child, so that it does not become the child.
    script = f"{sys.executable} -c 'input()'; true"
    with subprocess.Popen(
        ["sh", "-c", f"echo started; {script}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        while len(session_of(program.pid)) < 2:
            assert program.poll() is None
        assert all(stat.session == program.pid for stat in session_of(program.pid))
        program.communicate(b"\n")
    assert session_of(program.pid) == []


def test_own_process_has_used_some_time() -> None:
    assert cpu_seconds(os.getpid()) > 0


@pytest.mark.parametrize(
    ("part", "expected"), [(0.0, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.99, 4), (1.0, 4)]
)
def test_quantile_is_a_value_that_occurred(part: float, expected: float) -> None:
    assert quantile([3, 1, 4, 2], part) == expected


def test_logarithmic_axis_has_equal_distances_between_powers() -> None:
    axis = LogAxis(10, 1000, start=100, end=0)
    assert list(axis.powers()) == [10, 100, 1000]
    assert [axis.at(power) for power in axis.powers()] == pytest.approx([100, 50, 0])


def test_picture_is_well_formed_whatever_it_says() -> None:
    picture = document(100, 50, [text(1, 2, "a < b & c", text_anchor="end")])
    (_, words) = ET.fromstring(picture)
    assert (words.text, words.get("text-anchor")) == ("a < b & c", "end")
