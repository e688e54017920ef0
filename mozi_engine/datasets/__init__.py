"""From raw files, as published, to values."""
