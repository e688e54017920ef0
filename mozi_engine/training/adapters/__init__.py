"""A training's adapter for other programs."""
