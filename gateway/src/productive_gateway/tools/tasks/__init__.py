"""Toolset tasks."""
