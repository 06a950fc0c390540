"""The hop to the company's OIDC provider: discovery, sign-in, ID tokens, verified e-mail."""
