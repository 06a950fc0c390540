"""The server suite of @modelcontextprotocol/conformance, run against a whole gateway.

The suite calls tools, prompts and resources by names of its own. A gateway that is started here
serves those beside its stack of every day: same application, same checks, a token of a sign-in.
"""
