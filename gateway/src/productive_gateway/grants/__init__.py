"""Grants: what one person allowed one client, one stored object each.

`grant` and `transitions` are the pure state machine, `record` its stored form, `store` the port
with an in-memory and a Kubernetes form, `commit` the compare-and-swap, `index` the watched view
that /mcp reads, `service` what the endpoints call.
"""
