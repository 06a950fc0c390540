"""An offline stand-in for Productive's API, for development and tests.

It answers like the original where somebody recorded the original's answers, and says so in a
comment where the behaviour is inferred. It knows what the gateway's tools touch and nothing else.
The gateway does not know that it talks to it: only the base URL differs.
"""
