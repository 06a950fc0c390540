"""The HTTP edge that `oauth` and `mcp` share: how requests are read, and what every answer has.

Nothing here knows either of them, nor keys or people: bounds are arguments, probes are callables,
and what cannot be read is a `BadRequest`.
"""
