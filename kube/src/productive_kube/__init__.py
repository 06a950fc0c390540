"""The Kubernetes API as both programs use it: raw requests, lists, watches.

Only this package imports `kubernetes`. Answers are JSON dictionaries and failures are
`errors.ApiError`; the one thing of `aiohttp` that leaves it is the session made for Kopf. It knows
nothing of Productive.
"""

from productive_contract.deferred import defer

# One HTTP client of it is used. Left to themselves these would import the synchronous one as well.
defer("kubernetes", "kubernetes.aio", "kubernetes.aio.config", "kubernetes.aio.utils")
