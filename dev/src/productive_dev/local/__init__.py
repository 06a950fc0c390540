"""Everything on one machine by one command: no cluster, no account."""
