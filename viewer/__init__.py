"""One web page to look at a scene: colour, depth and lens, while it is fitted and after."""
