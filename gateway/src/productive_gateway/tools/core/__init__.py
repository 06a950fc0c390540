"""Toolset core."""
