"""What follows from what: who may track time where, which days are closed, sums, approvals."""
