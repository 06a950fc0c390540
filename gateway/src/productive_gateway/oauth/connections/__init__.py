"""The page /connections: a person sees their connected apps, and ends them."""
