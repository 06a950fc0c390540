"""MCP clients: how they are found, how they prove themselves, and where they may be answered."""
