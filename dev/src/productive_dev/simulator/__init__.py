"""An offline stand-in for Productive's API, for development and tests.

It answers like the original where a recording or the vendor's schema says how, and a comment says
where an answer is inferred; docs/simulator.md lists both. The gateway does not know that it talks
to it: only the base URL differs.

A request goes from `app` to `api`, which finds the `declare`d resource of `resources` and reads the
request with `query` or carries it out with `writing`; `rules` say what follows from what, `reports`
sum up, `documents` writes the answer, and `seed` is what everything begins with.
"""
