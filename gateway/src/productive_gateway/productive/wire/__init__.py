"""Productive over HTTP: requests, limits, retries, the cache, JSON:API documents, errors."""
