"""An OpenID provider for development and attack tests: anybody signs in, and it lies on request."""
