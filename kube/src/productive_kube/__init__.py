"""What both programs do to the Kubernetes API: raw requests, lists, watches.

The only importer of `kubernetes` and, with the operator's Kopf session, of `aiohttp`. Nothing of
either leaves this package: answers are JSON dictionaries, failures are `errors.ApiError`. It knows
nothing of Productive.
"""
