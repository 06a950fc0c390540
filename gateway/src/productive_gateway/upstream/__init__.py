"""The gateway as a client of the OIDC provider: discovery, sign-in, ID tokens, verified e-mail."""
