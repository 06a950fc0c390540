"""Changes in Productive: made once, compared with what was asked for, and undone."""
