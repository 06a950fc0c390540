"""The operator: watches ProductiveUsers and their token Secrets, publishes one mapping Secret.

The way of a ProductiveUser: `handlers` (mark dirty) → `loop` (when) → `rendering` (one pass) →
`cluster` (lists) → `resolve` (decides) → `conditions` (says so) → `cluster` (applies).
"""
