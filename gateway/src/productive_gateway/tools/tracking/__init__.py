"""Tracked time: what several tools read of it, and the rules that it follows."""
