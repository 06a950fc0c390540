"""What processes have used, by the kernel's account (proc(5))."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Stat:
    """What `/proc/PID/stat` says of a process."""

    session: int
    cpu_seconds: float
    """In user and system mode."""
    resident_bytes: int


def parse_stat(text: str) -> Stat:
    """Read the line of a process; its name, in brackets, may hold anything."""
    # After the name: state is field 3, session 6, user and system time 14 and 15, pages 24.
    fields = text.rpartition(")")[2].split()
    return Stat(
        session=int(fields[3]),
        cpu_seconds=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
        resident_bytes=int(fields[21]) * resource.getpagesize(),
    )


def cpu_seconds(pid: int) -> float:
    """Return the seconds that a process has used."""
    return parse_stat((PROC / str(pid) / "stat").read_text()).cpu_seconds


def session_of(leader: int) -> list[Stat]:
    """Return the living processes of a session: a program and all that it started.

    Args:
        leader: process id of the program, which was started in a session of its own.
    """
    found = []
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                stat = parse_stat((folder / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended since
            if stat.session == leader:
                found.append(stat)
    return found
