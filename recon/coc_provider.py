"""What a photo's own blur says, worked out once for each training photo and kept."""

import io
from dataclasses import replace
from typing import ClassVar, final

import numpy as np
import torch

from recon.evidence.coc import CocEstimator, CocMap
from recon.evidence.interface import Evidence, Need, Provider
from recon.evidence.store import Store, digest
from recon.optics import stated_lens
from recon.types import View


@final
class CocProvider(Provider):
    """Circles of confusion that an estimator tells from the photos."""

    gives: ClassVar[Need] = Need.COC

    def __init__(self, estimator: CocEstimator, metric: bool, store: Store) -> None:
        """Prepare; nothing is estimated until a view is asked for.

        Args:
            estimator: looks at the photos.
            metric: whether lengths are metres, so that a lens that a photo states may be told.
            store: keeps results between fits.
        """
        self._estimator, self._metric, self._store = estimator, metric, store

    def add(self, evidence: Evidence, view: View) -> Evidence:
        """Return the evidence with circles of confusion in px of the view's photo."""
        pixels = view.photo.pixels()
        lens = stated_lens(view.exif, view.camera) if self._metric else None
        told = "" if lens is None else f"{float(lens.strength)} {float(lens.inverse_focus)}"
        shape = repr(tuple(pixels.shape))
        key = digest(self._estimator.identity(), told, shape, pixels.contiguous().numpy().tobytes())
        content = self._store.read("coc", key)
        if content is None:
            found = self._estimator.estimate(pixels, lens)
            self._store.write("coc", key, _encoded(found))
        else:
            found = _decoded(content)
        return replace(evidence, coc=found)


def _encoded(found: CocMap) -> bytes:
    file = io.BytesIO()
    maps = {"size": found.size, "spread": found.spread, "behind": found.behind}
    arrays = {name: tensor.numpy() for name, tensor in maps.items()}
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def _decoded(content: bytes) -> CocMap:
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        return CocMap(*(torch.from_numpy(file[name]) for name in ("size", "spread", "behind")))
