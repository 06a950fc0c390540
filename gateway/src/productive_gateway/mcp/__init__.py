"""The MCP endpoint: authentication, prebuilt answers, and the SDK's server with the tools."""

from productive_contract.deferred import defer

# Its low-level server is used. Left to themselves these would import its client and MCPServer.
defer("mcp", "mcp.server")
