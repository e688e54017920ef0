"""A training in several processes."""
