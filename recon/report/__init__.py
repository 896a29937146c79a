"""One offline page about a fit or a comparison."""
