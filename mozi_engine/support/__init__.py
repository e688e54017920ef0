"""The companion: listens to researchers who have a hard time, warmly and briefly."""
