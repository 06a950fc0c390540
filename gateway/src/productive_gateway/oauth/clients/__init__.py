"""The MCP clients: who they are, how they authenticate, where they may be redirected to."""
