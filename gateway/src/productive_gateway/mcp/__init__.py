"""The MCP endpoint: authentication, prebuilt answers, and the SDK's server with the tools."""
