"""The data that a simulator starts with: two invented companies, the same at every start.

Everything is dated relative to the clock, so that there is always a yesterday with entries and a
last week with gaps. Ids are plausible and of different ranges, so that kinds cannot be confused.
"""
