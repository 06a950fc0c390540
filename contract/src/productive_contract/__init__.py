"""What operator and gateway share: the mapping document, names, labels and the canonical e-mail.

The operator produces the mapping, the gateway consumes it; both import this package and never each
other. Standard library only, so that it costs neither image anything.
"""
