"""Who people are: the mapping in use, and the principal that a request acts as."""
