"""Logs, audit lines and metrics of the gateway."""
