"""What this server says about itself, to clients before and after they connect.

The same values are in `serverInfo` and in the server card, so that they cannot differ.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Final

import mcp_types as types

from productive_gateway.mcp.config import McpConfig

NAME: Final = "productive"
TITLE: Final = "Productive"
DESCRIPTION: Final = "Projects, tasks and time in Productive.io, as the person who signs in."
"""At most 100 characters, as a server card allows."""
ICON: Final = files(__package__).joinpath("icon.png").read_bytes()
"""The mark of the pages (`web/templates/base.html`) as a picture, which every client can show."""
ICON_PATH: Final = "/icon.png"
ICON_TYPE: Final = "image/png"
_ICON_SIZE: Final = "128x128"


def server_info(config: McpConfig) -> types.Implementation:
    """Return the name, version, address and icon of this server.

    In 2026-07-28 every result carries them: so the icon is an address and not a picture, and there
    is no description.
    """
    icon = types.Icon(
        src=f"{config.public_url}{ICON_PATH}", mime_type=ICON_TYPE, sizes=[_ICON_SIZE]
    )
    return types.Implementation(
        name=NAME,
        version=config.server_version,
        title=TITLE,
        website_url=config.public_url,
        icons=[icon],
    )
