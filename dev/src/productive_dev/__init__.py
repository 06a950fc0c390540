"""Development programs: the simulator of Productive, the dev IdP and the local run.

They are never part of a production image.
"""
