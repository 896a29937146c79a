"""Focal stacks with scenes that are fitted to them in turn with the network that they teach.

A scene of Gaussians and the network teach each other by turns. For some steps the scenes are
fitted, each photo drawn through the lens that it states and its depth held to the circles of
confusion that the network sees. Then the network learns for some steps from pairs of the stacks'
photos and the pictures that the scenes draw sharp, which blurred by its own circles of confusion
must give the photos (Zhang et al. 2024, arXiv 2409.12323; the turns are our own).
"""

from dataclasses import replace
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from recon import checkpoint, run
from recon.config import FitSettings
from recon.fit import Fitting
from recon.losses.siamese_coc import SiameseCoc
from recon.networks.photographs import Pairs, PairSource
from recon.networks.siamese_coc import SiameseNetwork
from recon.networks.stack_photos import StackPhotos
from recon.networks.stored import save_network
from recon.networks.training import TrainSettings
from recon.networks.turns import Turns
from recon.raster.choose import choose_rasterizer
from recon.run import Run
from recon.types import Capture, View

WEIGHTS = "network.safetensors"


@final
class SceneLessons(PairSource):
    """Takes pairs from focal stacks, and fits a scene to each when its turn comes."""

    def __init__(self, photos: StackPhotos, turns: Turns, steps: int, work: Path) -> None:
        """Prepare; nothing is fitted before the first pairs are asked for.

        Args:
            photos: of the stacks.
            turns: of scenes and network.
            steps: that the network will take in all.
            work: a folder for the scenes' runs, which go on where they were stopped.
        """
        self._photos, self._turns, self._work = photos, turns, work
        self._rasterizer = choose_rasterizer("auto")
        self._steps = turns.scene_steps(steps - 1)
        self._done = -1

    def pairs(self, step: int, count: int, network: SiameseNetwork) -> Pairs:
        """Return a batch for a step, after the scenes' turn where it is theirs."""
        target = self._turns.scene_steps(step)
        if self._done != target:
            self._work.mkdir(parents=True, exist_ok=True)
            save_network(network, self._work / WEIGHTS)
            # The fits choose their own random numbers; the training's stay as they were.
            with torch.random.fork_rng(devices=[]):
                scenes = enumerate(self._photos.captures)
                self._photos.sharp = [self._turn(*scene, target) for scene in scenes]
            self._done = target
        return self._photos.pairs(step, count, network)

    def _turn(self, index: int, capture: Capture, target: int) -> list[Tensor]:
        """Fit a scene up to a step, and return its photos' views as it draws them sharp."""
        fitting = self._fitting(self._work / f"scene-{index}", capture)
        fitting.optimise(lambda _: None, lambda: fitting.step >= target)
        return [self._drawn_sharp(fitting, view) for view in capture.train]

    def _fitting(self, path: Path, capture: Capture) -> Fitting:
        """Take a scene up where it is."""
        settings = FitSettings(
            capture.path, steps=self._steps, max_gaussians=self._turns.max_gaussians
        ).resolved()
        scene = Run(path)
        if not scene.settings_file.exists():
            surroundings = run.surroundings(self._rasterizer.name, "", settings.seed)
            scene = run.create(path, settings, surroundings)
        begun = checkpoint.any_in(scene.checkpoints)
        weight = self._turns.coc if begun else 0.0
        term = SiameseCoc(weight=weight, weights=self._work / WEIGHTS)
        supervision = replace(settings.supervision, siamese_coc=term)
        settings = replace(settings, supervision=supervision)
        fitting = Fitting(scene, settings, capture, self._rasterizer)
        if begun:
            fitting.restore(checkpoint.load_latest(scene.checkpoints)[0])
        return fitting

    def _drawn_sharp(self, fitting: Fitting, view: View) -> Float[Tensor, "3 h w"]:
        with torch.no_grad():
            scene = fitting.parts.scene(fitting.model.gaussians)
            render = scene.draw(self._rasterizer, view.camera, taken_as=view)
        return render.color.clamp(0, 1).permute(2, 0, 1).cpu()


def pairs_of_stacks(settings: TrainSettings, work: Path) -> PairSource:
    """Return the source of pairs of a training on stacks; scenes only for the rendering loss.

    Args:
        settings: of the training.
        work: a folder for the scenes.

    Raises:
        DataError: a stack cannot be used; the message names it.
    """
    stacks = [Path(stack) for stack in settings.stacks]
    photos = StackPhotos(stacks, settings.side, settings.seed)
    if settings.weights.rerender == 0:
        return photos
    return SceneLessons(photos, settings.turns, settings.steps, work)
