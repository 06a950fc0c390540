"""`productive-operator doctor`: checks an installation, and says what is wrong and what to do.

Each check reads what it needs and leaves the verdict to a pure function of it. What may not be read
is reported as not checked, with the right that it needs, and is no failure.
"""
