"""Gaussians to pixels, and gradients back: one interface, three rasterizers."""
