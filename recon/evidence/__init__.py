"""What is worked out once before a fit, and kept: where it is kept, and where weights come from."""
