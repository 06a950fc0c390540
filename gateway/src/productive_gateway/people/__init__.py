"""People: the mapping as the gateway uses it, the principal of a request, and the scopes."""
