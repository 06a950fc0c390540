"""The two Secrets that the gateway follows: the mapping and the key ring."""
