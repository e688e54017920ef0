"""The HTTP API: the same questions, the same companion and the same records as the terminal, for programs."""
