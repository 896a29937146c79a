"""The panels of the page, from top to bottom."""

from recon.viewer.drawing_panel import DrawingPanel
from recon.viewer.layer_panel import LayerPanel
from recon.viewer.lens_panel import LensPanel
from recon.viewer.panel import Panel

PANELS: tuple[type[Panel], ...] = (LayerPanel, LensPanel, DrawingPanel)
"""A new panel is one more name here."""
