"""How HTTPS leaves the gateway, to whomever: one trust, one proxy, no cookies.

The API server is not reached through here: `kube` connects to it directly.
"""
