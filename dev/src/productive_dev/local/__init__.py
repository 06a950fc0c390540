"""Runs everything on one machine with one command, without a cluster or an account."""
