"""The authorization server: registration, consent, the upstream hop, tokens (OAuth 2.1)."""
