"""The optimisation loop, and everything it needs to stop at any step and go on exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from recon import checkpoint
from recon.checkpoint import Checkpoint
from recon.config import FitSettings
from recon.core import HAS_CORE
from recon.counter import Counter
from recon.densify.choose import choose_densifier, own_terms
from recon.doubt import choose_doubt
from recon.errors import DataError, NumericError
from recon.evidence.interface import Need
from recon.gaussians import Gaussians
from recon.glance import Glances
from recon.initialise import initialise, scene_scale
from recon.losses.functional import photometric
from recon.memory import peak_memory_bytes
from recon.model import Model
from recon.order import ViewOrder
from recon.parts import choose_parts
from recon.parts_optimizer import PartsOptimizer
from recon.providers import providers_for
from recon.raster.interface import Rasterizer
from recon.run import Run
from recon.sights import Sights
from recon.stopwatch import Stopwatch
from recon.supervise import Objective, Sample
from recon.through_lens import through_lens
from recon.types import Capture, ThinLens, View

DEGREES_PER_FIT = 25
"""Harmonics gain a degree every 1/25 of the fit: colour first, its change with the view later."""
LOG_EVERY = 20
"""Steps between lines of the metrics."""
CHECK_EVERY = 100
"""Steps between looks for parameters that are not finite."""


@dataclass(frozen=True)
class Progress:
    """What a watcher is told every few steps."""

    step: int
    share: float
    """Of the budget, 0 to 1."""
    seconds: float
    psnr: float
    """Of the training renders, averaged over the last few hundred steps."""
    gaussians: int
    parts: dict[str, float]
    """Penalties by term, before their weights."""


class Fitting:
    """A fit between two steps: the model, and all that decides what the next step does."""

    def __init__(
        self, run: Run, settings: FitSettings, capture: Capture, rasterizer: Rasterizer
    ) -> None:
        if not capture.train:
            raise DataError(
                f"{capture.path}: no view is left to train on. Hold fewer out (--hold-every)."
            )
        torch.manual_seed(settings.seed)
        if HAS_CORE:
            # The core's results do not depend on its number of threads, but torch's do in the
            # last bit, because vector code and scalar rests share out the work differently.
            torch.set_num_threads(1)
        self.run, self.settings, self.rasterizer = run, settings, rasterizer
        self.scale = scene_scale(capture)
        self.parts = choose_parts(settings.parts, capture, self.scale, rasterizer.device)
        self.views = tuple(map(self.parts.lens.learned_from, capture.train))
        self.parts_optimizer = PartsOptimizer(self.parts.named())
        self.objective = Objective((*settings.supervision.terms(), *own_terms(settings.densify)))
        self.doubt = choose_doubt(settings.prior.doubt_from, self.objective.needs)
        self.order = ViewOrder(len(self.views))
        self.providers = providers_for(
            self.objective.needs | self.doubt.needs,
            capture,
            settings.prior,
            settings.matching,
            settings.supervision.siamese_coc.weights,
        )
        self.sights = Sights(
            self.views, self.providers, rasterizer.device, settings.memory.photo_bytes()
        )
        self.glances = Glances([view.camera for view in self.views])
        self.step, self.seconds, self.psnr = 0, 0.0, math.nan
        self._adopt(initialise(capture, settings.cap // 4, settings.cap))

    def prepare(self, counter: Counter) -> tuple[str, ...]:
        """Gather what takes long before the first step, and return what a person should know."""
        # What is found from an earlier fit draws no random numbers, what is worked out may.
        with torch.random.fork_rng(devices=[]):
            return tuple(line for provider in self.providers for line in provider.prepare(counter))

    def optimise(self, watch: Callable[[Progress], None], stop: Callable[[], bool]) -> bool:
        """Run until the budget is spent or `stop` says so, save, and return whether it is spent.

        `stop` is asked between two steps, when all tensors belong together; the time that it takes
        is not the fit's, so that a person may hold a fit up.

        Raises:
            NumericError: a penalty or a parameter is not finite.
            ResourceError: a checkpoint could not be written.
        """
        with self.sights:
            return self._optimise(watch, stop)

    def _optimise(self, watch: Callable[[Progress], None], stop: Callable[[], bool]) -> bool:
        budget, clock = self.settings.budget, Stopwatch(self.seconds)
        while (share := budget.progress(self.step, self.seconds)) < 1 and not clock.aside(stop):
            self.model.schedule(share)
            self.parts_optimizer.schedule(share)
            self.parts.lens.settle(share, partial(self._misfit, share))
            sample = self.doubt.weigh(self._look(share))
            penalties = self.objective(sample)
            footprint = sample.render.footprint
            self.densifier.before_gradients(penalties.weighted, footprint, share)
            torch.autograd.backward(penalties.total)
            self.model.step()
            self.parts_optimizer.step()
            camera = sample.view.camera
            self.densifier.after_step(
                self.model, footprint, (camera.width, camera.height), self.step, share
            )
            self.step += 1
            self.seconds = clock.seconds()
            if self.step % LOG_EVERY == 0:
                watch(self._record(sample, penalties.parts, share))
            if self.step % CHECK_EVERY == 0:
                self._check(sample)
            if self.step % self.settings.checkpoint_every == 0:
                self.save()
        self.save()
        return share >= 1

    def save(self) -> None:
        """Write a checkpoint.

        Raises:
            NumericError: a parameter is not finite; the last good checkpoint stays the newest.
            ResourceError: it could not be written; earlier ones are intact.
        """
        self._check(None)
        parts = {
            "momenta": self.model.momenta(),
            "parts": self.parts_optimizer.state(),
            "densifier": self.densifier.state(),
            "order": self.order.state(),
            "glances": self.glances.state(),
            "random": {"generator": torch.get_rng_state()},
            "watch": {"psnr": torch.tensor(self.psnr, dtype=torch.float64)},
        }
        state = {f"{part}.{k}": v for part, named in parts.items() for k, v in named.items()}
        checkpoint.save(
            self.run.checkpoints,
            Checkpoint(self.step, self.seconds, peak_memory_bytes(), self.model.gaussians, state),
        )

    def restore(self, saved: Checkpoint) -> None:
        """Go back to a checkpoint."""
        self._adopt(saved.gaussians)
        self.model.restore_momenta(saved.part("momenta"))
        self.parts_optimizer.restore(saved.part("parts"))
        self.densifier.restore(saved.part("densifier"))
        self.order.restore(saved.part("order"))
        self.glances.restore(saved.part("glances"), self.rasterizer.device)
        self.step, self.seconds = saved.step, saved.seconds
        self.psnr = float(saved.part("watch")["psnr"])
        torch.set_rng_state(saved.part("random")["generator"])

    def _adopt(self, gaussians: Gaussians) -> None:
        on_device = gaussians.to(self.rasterizer.device)
        settings = self.settings
        self.model = Model(on_device, settings.learning_rates, self.scale)
        self.densifier = choose_densifier(
            settings.densify, settings.cap, len(gaussians), self.scale
        )

    def _look(self, share: float) -> Sample:
        """Render the next view beside its photo."""
        shrink = self.settings.resolution.shrink(share)
        index = self.order.next()
        sight = self.sights.look(index, shrink, self.order.following())
        view = sight.view
        camera, lens = self.parts.poses.camera(view), self.parts.lens.of(view)
        render = self.parts.scene(self.model.gaussians).draw(
            self.rasterizer,
            camera,
            taken_as=view,
            sh_degree=min(self.settings.sh_degree, int(share * DEGREES_PER_FIT)),
        )
        seen = render if lens is None else through_lens(render, lens)
        scene = self.model.gaussians
        neighbour = None
        if Need.NEIGHBOUR in self.objective.needs:
            neighbour = self.glances.beside(index, camera, self.step)
            self.glances.put(index, camera, render)
        return Sample(
            self.step, view, sight.photo, sight.valid, seen, scene, self.scale,
            sight.evidence, share, neighbour, lens,
        )  # fmt: skip

    def _misfit(self, share: float, index: int, lens: Callable[[View], ThinLens]) -> float:
        """Return the photometric loss of a training view, seen through a lens."""
        sight = self.sights.look(index, self.settings.resolution.shrink(share))
        with torch.no_grad():
            drawn = self.parts.scene(self.model.gaussians).draw(
                self.rasterizer,
                self.parts.poses.camera(sight.view),
                taken_as=sight.view,
            )
            seen = through_lens(drawn, lens(sight.view))
        return float(photometric(seen.color, sight.photo, sight.valid).loss)

    def _record(self, sample: Sample, parts: dict[str, float], share: float) -> Progress:
        with torch.no_grad():
            error = sample.render.color.clamp(0, 1) - sample.photo.float() / 255
            if sample.valid is not None:
                error = error[sample.valid]
            psnr = -10 * math.log10(max(float(error.square().mean()), 1e-10))
        self.psnr = psnr if math.isnan(self.psnr) else 0.9 * self.psnr + 0.1 * psnr
        count = len(self.model.gaussians)
        event = {"step": self.step, "seconds": round(self.seconds, 3), "psnr": psnr}
        self.run.record({**event, "view": sample.view.name, "gaussians": count, "terms": parts})
        return Progress(self.step, share, self.seconds, self.psnr, count, parts)

    def _check(self, sample: Sample | None) -> None:
        """Stop at parameters that are not finite, before they reach a checkpoint."""
        for name, tensor in self.model.gaussians.named().items():
            if not bool(tensor.detach().isfinite().all()):
                seen = "" if sample is None else f", last view {sample.view.name}"
                raise NumericError(
                    f"{name} of the Gaussians are not finite at step {self.step}{seen}. The last "
                    f"checkpoint is intact; `recon resume {self.run.path}` goes on from it, lower "
                    "--learning-rates help a new fit."
                )
