"""What a request changes: bodies, creations, updates, deletions, bulk requests."""
