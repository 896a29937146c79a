"""The layer that holds the scene against a photo."""

from typing import final

import cv2
import numpy as np
import torch

from recon.error_strip import LARGEST_ERROR
from recon.pictures import DARK, Picture, error_picture
from recon.viewer.cameras import Frame
from recon.viewer.layer import Layer, Vantage
from recon.viewer.legend import error_legend
from recon.viewer.look import Look


@final
class PhotoError(Layer):
    """Absolute difference to the photo."""

    title = "Error against the photo"
    about = (
        "Mean absolute difference of the channels between the render and the photo; to be seen at "
        "a photo's camera, dark anywhere else."
    )

    def picture(self, vantage: Vantage) -> Picture:
        """Colour it; dark outside the photo, and everywhere where the person is at no camera."""
        size = (vantage.camera.height, vantage.camera.width)
        picture = np.full((*size, 3), DARK, np.uint8)
        view, frame = vantage.look.at, vantage.frame
        if view is None or frame is None:
            return picture
        photo = resized_into(view.photo.pixels().numpy(), frame)
        valid = view.photo.valid()
        use = np.ones(photo.shape[:2], np.uint8) if valid is None else valid.numpy().astype("u1")
        use = resized_into(use, frame).astype(bool)
        inside = (
            slice(frame.top, frame.top + frame.height),
            slice(frame.left, frame.left + frame.width),
        )
        drawn = vantage.blurred.color[inside].detach().cpu().clamp(0, 1)
        difference = (drawn - torch.from_numpy(photo).float() / 255).abs().mean(dim=-1)
        picture[inside] = error_picture(difference, torch.from_numpy(use), LARGEST_ERROR)
        return picture

    def legend(self, look: Look, unit: str) -> Picture:
        """Return the scale of differences."""
        return error_legend(LARGEST_ERROR, [f"{LARGEST_ERROR:.0%} and more", "0%"])


def resized_into(pixels: np.ndarray, frame: Frame) -> np.ndarray:
    """Return a photo with the size of its frame, averaged where it becomes smaller."""
    shrinks = frame.width < pixels.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: np.ndarray = cv2.resize(pixels, (frame.width, frame.height), interpolation=how)
    return resized
