"""The Kubernetes API as both programs use it: raw requests, lists, watches.

Only this package imports `kubernetes`. Answers are JSON dictionaries and failures are
`errors.ApiError`; the one thing of `aiohttp` that leaves it is the session made for Kopf. It knows
nothing of Productive.
"""
