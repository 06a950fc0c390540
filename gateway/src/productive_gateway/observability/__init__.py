"""The gateway's logs, audit lines and metrics."""
