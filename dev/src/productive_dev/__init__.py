"""Development parts: the simulator of Productive, the dev IdP and the local run.

Never part of a production image.
"""
