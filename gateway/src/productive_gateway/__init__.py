"""The gateway: OAuth authorization server and MCP endpoint in front of Productive.

The path of a request: `app` (routes) → `mcp/` (bearer, protocol) → `people/` (who it acts as) →
`tools/` → `productive/`. The path of a sign-in: `oauth/` → `upstream/` → `people/` → `grants/`.
"""

__version__ = "0.1.0"
USER_AGENT = "productive-gateway"
"""Who we are in the logs of the API server."""
ADMIN_USER_AGENT = f"{USER_AGENT}-admin"
"""An administrator's command there, whatever its account."""
