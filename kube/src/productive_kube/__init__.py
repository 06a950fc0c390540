"""The Kubernetes API as the gateway uses it: raw requests, and the watch of one named object.

This package and `grants` are the only importers of `kubernetes`; nothing of that library, nor of
the HTTP client below it, leaves it: answers are JSON dictionaries, troubles are `cluster.errors`.
"""
