"""The two scopes that a person can allow a client; everybody else imports them from here."""

from __future__ import annotations

from typing import Final

READ: Final = "productive:read"
WRITE: Final = "productive:write"
"""Includes reading."""
ALL: Final = (READ, WRITE)
"""In the order in which they are listed. A challenge asks for both: one sign-in is enough."""
