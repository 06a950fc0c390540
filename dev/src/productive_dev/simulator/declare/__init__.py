"""The vocabulary in which a resource is declared: attributes, relations, filters, sorts, rights.

A declaration is all that the engine needs: from it come documents, lists, default values, which
parts of a body are taken over, and which are refused.
"""
