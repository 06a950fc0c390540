"""Toolset time."""
