"""A run's folder: taken, resumed, and read again."""
