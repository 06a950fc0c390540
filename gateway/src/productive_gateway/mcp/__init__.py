"""The MCP endpoint: who may call, what is answered without the SDK, and the SDK behind it."""
