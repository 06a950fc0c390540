"""What operator and gateway share: the mapping document, names, labels and canonical e-mail.

The operator writes the mapping and the gateway reads it; both import this package, never each
other. It uses the standard library only, so that it adds nothing to either image.
"""
