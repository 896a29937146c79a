"""Readers: from what lies on disk to a Capture."""
