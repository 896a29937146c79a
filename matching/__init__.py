"""Pixels that show the same point in two photos, and what known cameras make of them."""
