"""Productive's API: one client for all people, each with their own token."""
