"""The gateway: OAuth authorization server and MCP endpoint in front of Productive.

The way of a request: `app` (routes) → `mcp/` (bearer, protocol) → `people/` (who it acts as) →
`tools/` → `productive/`. The way of a sign-in: `oauth/` → `upstream/` → `people/` → `grants/`.
"""

__version__ = "0.1.0"
USER_AGENT = "productive-gateway"
"""Who we are in the logs of the API server."""
ADMIN_USER_AGENT = f"{USER_AGENT}-admin"
"""An administrator's command there, whatever its account."""
