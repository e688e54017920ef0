"""Conversations kept on the disk: the store, its file and versions, recording as they happen, exporting."""
