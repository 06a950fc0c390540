"""Reports: sums over the state, one row for each group.

Page numbers only and a limit of their own are the guide's. The names of totals are the reference's;
what they sum up, the odd ids, and which of an entry's own values a row shows is inferred.
"""
