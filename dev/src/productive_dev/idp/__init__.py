"""An OpenID provider for development and attack tests: anyone may sign in, faults on request."""
