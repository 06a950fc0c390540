"""Mutants: the product with one defence taken out, each of which a test must notice.

`defences/` declares them, `python -m mutants` runs them. See tests/README.md.
"""
