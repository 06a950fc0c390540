"""What every tool that changes something shares: never twice, undo and confirmation."""
