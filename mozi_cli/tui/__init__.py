"""The full screen: widgets that show, and know nothing of the engine."""
