"""The names of this machine in URLs."""

from __future__ import annotations

from typing import Final

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""As `urlsplit(…).hostname` gives them: IPv6 without brackets."""
