"""Supervision terms, one per file: how far a render is from what a photo says."""
