"""Commands for administrators: the key ring's keys, and people's sign-ins."""
