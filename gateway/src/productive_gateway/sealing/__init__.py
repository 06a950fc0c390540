"""The gateway's own keys, and how data is sealed and authenticated with them.

Pure: a key ring is a value; nothing here knows Kubernetes, HTTP or the clock.
"""
