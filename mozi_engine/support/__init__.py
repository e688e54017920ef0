"""The companion: listens to researchers who are having a hard time; briefly, warmly, in Chinese and English."""
