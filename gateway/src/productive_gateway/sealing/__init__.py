"""The gateway's own keys, and what is sealed and authenticated with them.

Pure: a key ring comes in as a value; nothing here knows Kubernetes, HTTP or the clock.
"""
