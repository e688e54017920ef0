"""The engine of mozi: everything that computes. It yields events and raises errors, and never prints."""
