"""Depth from one photo: what networks, LiDAR or files say of it before a fit."""
