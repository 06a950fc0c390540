"""Settings with which a gateway starts without a cluster."""

from __future__ import annotations

LOCAL = "http://localhost:8787"
_PROVIDER = "https://team.cloudflareaccess.com/cdn-cgi/access/sso/oidc/abc"
LOCAL_SETTINGS = {
    "PUBLIC_URL": LOCAL,
    "PRODUCTIVE_ORG_ID": "1200",
    "USER_MAPPING": '{"ana@example.com":{"userId":7,"apiToken":"t"}}',
    "ACCESS_CLIENT_ID": "abc",
    "ACCESS_CLIENT_SECRET": "secret",
    "ACCESS_AUTHORIZATION_URL": f"{_PROVIDER}/authorization",
    "ACCESS_TOKEN_URL": f"{_PROVIDER}/token",
    "ACCESS_JWKS_URL": f"{_PROVIDER}/jwks",
    "COOKIE_ENCRYPTION_KEY": "8f2a6c1d9b3e5f7081a2c4d6e8f01325374b5d6f8091a3b5c7d9ebfd0f213243",
    "ADMIN_CONTACT": "it@example.com",
}
