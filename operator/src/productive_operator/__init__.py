"""The operator: watches ProductiveUsers and their token Secrets, publishes one mapping Secret.

How a ProductiveUser reaches the mapping: `handlers` (ask for a pass) → `scheduler` (decides when) →
`reconciler` (makes one pass) → `cluster` (lists) → `resolve` (decides) → `cluster` (publishes) →
`conditions` (say what was decided) → `cluster` (writes them).
"""
