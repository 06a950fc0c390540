"""The tools that exist, in the order in which they are listed."""

from __future__ import annotations

from typing import Final

from productive_gateway.tools.me import GET_ME
from productive_gateway.tools.time_entries import LOG_TIME
from productive_gateway.tools.tool import Tool

TOOLS: Final[tuple[Tool, ...]] = (GET_ME, LOG_TIME)
