"""Finds what a person means: links, references in words, and the one record that fits."""
