"""Scales of colours for the page's panel."""

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from recon.pictures import DARK, DepthRange, Picture, error_picture, with_legend

HEIGHT = 150
"""px."""
WIDTH = 240
"""px; room for words beside the scale."""


def depth_legend(span: DepthRange) -> Picture:
    """Return the scale of a depth picture."""
    scale = with_legend(np.zeros((HEIGHT, 0, 3), np.uint8), span)
    margin = np.full((HEIGHT, WIDTH - scale.shape[1], 3), DARK, np.uint8)
    return np.concatenate([scale, margin], axis=1)


def error_legend(largest: float, labels: Sequence[str]) -> Picture:
    """Return the scale of `error_picture`, from the largest error at the top down to none."""
    steps = torch.linspace(largest, 0, 64)[:, None]
    colors = error_picture(steps, torch.ones(64, 1, dtype=torch.bool), largest)
    return linear_legend(colors, labels)


def linear_legend(colors: Picture, labels: Sequence[str]) -> Picture:
    """Return a scale of evenly spaced labels.

    Args:
        colors: n x 1, from the top of the scale to its foot.
        labels: at least two, from the top to the foot.
    """
    legend = np.full((HEIGHT, WIDTH, 3), DARK, np.uint8)
    bar = cv2.resize(colors, (10, HEIGHT - 20), interpolation=cv2.INTER_LINEAR)
    legend[10:-10, 4:14] = bar
    for i, label in enumerate(labels):
        y = round(10 + i / (len(labels) - 1) * (HEIGHT - 21)) + 4
        white = (235, 235, 235)
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(legend, label, (18, y), font, 0.4, white, 1, cv2.LINE_AA)
    return legend
