"""Resolves what people call things: links, numbers, names."""
