"""The panels of the page, from top to bottom."""

from recon.viewer.camera_panel import CameraPanel
from recon.viewer.drawing_panel import DrawingPanel
from recon.viewer.fit_panel import FitPanel
from recon.viewer.layer_panel import LayerPanel
from recon.viewer.lens_panel import LensPanel
from recon.viewer.measure_panel import MeasurePanel
from recon.viewer.panel import Panel
from recon.viewer.timeline_panel import TimelinePanel

PANELS: tuple[type[Panel], ...] = (
    FitPanel,
    LayerPanel,
    LensPanel,
    CameraPanel,
    TimelinePanel,
    MeasurePanel,
    DrawingPanel,
)
"""A new panel is one more name here."""
