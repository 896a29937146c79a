"""Views as a fit looks at them: decoded, at the size in use, ahead of time, within some memory."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from types import TracebackType
from typing import final

import cv2
import numpy as np
import torch
from jaxtyping import Bool, UInt8
from torch import Tensor

from recon.ahead import Ahead
from recon.camera import resized
from recon.evidence.interface import Evidence, Provider, gathered
from recon.types import View


@dataclass(frozen=True, eq=False)
class Sight:
    """A view at some size, with its photo and what else is known of it."""

    view: View
    """With the camera of this size."""
    photo: UInt8[Tensor, "h w 3"]
    valid: Bool[Tensor, "h w"] | None
    """The pixels to use; None for all."""
    evidence: Evidence

    @property
    def nbytes(self) -> int:
        """How much memory the pixels and the evidence take."""
        return _bytes_of(self.photo) + _bytes_of(self.valid) + _bytes_of(self.evidence)

    def shrunk(self, factor: int) -> "Sight":
        """Return the view at a fraction of its size.

        A small pixel is the mean of those it covers, and is used only if all of them are.
        """
        camera = self.view.camera
        width, height = max(1, camera.width // factor), max(1, camera.height // factor)
        valid = self.valid
        if valid is not None:
            valid = _smaller(255 * valid.to(torch.uint8), width, height) == 255
        return Sight(
            replace(self.view, camera=resized(camera, width, height)),
            _smaller(self.photo, width, height),
            valid,
            self.evidence.resized(self.view, width, height),
        )

    def to(self, device: torch.device) -> "Sight":
        """Return it on another device."""
        valid = None if self.valid is None else self.valid.to(device)
        return Sight(self.view, self.photo.to(device), valid, self.evidence.to(device))


class _Shelf:
    """Sights by the index of their view, and how many bytes they take."""

    def __init__(self) -> None:
        self.sights: dict[int, Sight] = {}
        self.bytes, self.largest = 0, 0

    def put(self, index: int, sight: Sight) -> None:
        self.sights[index] = sight
        self.bytes += sight.nbytes
        self.largest = max(self.largest, sight.nbytes)

    def drop_one(self) -> None:
        self.bytes -= self.sights.popitem()[1].nbytes


@final
class Sights:
    """The training views of a fit. A `with` around the steps lets a thread decode ahead of them.

    Each view comes once an epoch, in a new order each time, so none will be needed sooner than
    another: what fits into the budget is kept, and the rest is decoded again and again. The size
    in use goes first; views at their own size, from which the next one is made, take what is left.
    """

    def __init__(
        self,
        views: Sequence[View],
        providers: Sequence[Provider],
        device: torch.device,
        budget: int,
    ) -> None:
        """Prepare; nothing is decoded yet.

        Args:
            views: by index.
            providers: of evidence.
            device: where sights are wanted. They are kept in the machine's own memory.
            budget: bytes to keep.
        """
        self._views, self._providers = tuple(views), tuple(providers)
        self._device, self._budget = device, budget
        self._whole, self._small = _Shelf(), _Shelf()
        self._shrink = 1
        self._ahead = Ahead(self._load)

    def __enter__(self) -> "Sights":
        """Allow a thread that decodes ahead."""
        self._ahead.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the thread."""
        self._ahead.__exit__(kind, error, trace)

    @property
    def kept_bytes(self) -> int:
        """How much memory is in use; never more than the budget."""
        return self._whole.bytes + self._small.bytes

    def look(self, index: int, shrink: int, following: int | None = None) -> Sight:
        """Return a view, and begin on the one that will be asked for next.

        Args:
            index: of the view.
            shrink: 1 for its own size, 2 for half of it, and so on.
            following: the next index, if it is known; probably at the same size.

        Raises:
            DataError: its photo cannot be read.
        """
        sight = self._ahead.take((index, shrink))
        if following is not None and not self._is_at_hand(following, shrink):
            self._ahead.begin((following, shrink))
        return sight

    def _is_at_hand(self, index: int, shrink: int) -> bool:
        shelf = self._whole if shrink == 1 else self._small
        return shrink == self._shrink and index in shelf.sights and self._device.type == "cpu"

    def _load(self, key: tuple[int, int]) -> Sight:
        index, shrink = key
        if shrink != self._shrink:
            self._small, self._shrink = _Shelf(), shrink
        shelf = self._whole if shrink == 1 else self._small
        if index not in shelf.sights:
            whole = self._whole.sights.get(index)
            if whole is None:
                whole = self._gather(self._views[index])
            sight = whole if shrink == 1 else whole.shrunk(shrink)
            if shrink > 1:
                self._keep_small(index, sight)
            self._keep_whole(index, whole)
            return sight.to(self._device)
        return shelf.sights[index].to(self._device)

    def _gather(self, view: View) -> Sight:
        evidence = gathered(view, self._providers)
        return Sight(view, view.photo.pixels(), view.photo.valid(), evidence)

    def _keep_small(self, index: int, sight: Sight) -> None:
        while self._whole.sights and self.kept_bytes + sight.nbytes > self._budget:
            self._whole.drop_one()
        if self.kept_bytes + sight.nbytes <= self._budget:
            self._small.put(index, sight)

    def _keep_whole(self, index: int, whole: Sight) -> None:
        small = self._small
        reserved = (len(self._views) - len(small.sights)) * small.largest
        fits = self.kept_bytes + reserved + whole.nbytes <= self._budget
        if fits and index not in self._whole.sights:
            self._whole.put(index, whole)


def _bytes_of(value: object) -> int:
    """Sum the bytes of the tensors in a value's fields."""
    if isinstance(value, Tensor):
        return value.nbytes
    if is_dataclass(value):
        return sum(_bytes_of(getattr(value, field.name)) for field in fields(value))
    return 0


def _smaller(image: UInt8[Tensor, "h w *c"], width: int, height: int) -> UInt8[Tensor, "v u *c"]:
    small = cv2.resize(image.numpy(), (width, height), interpolation=cv2.INTER_AREA)
    return torch.from_numpy(np.ascontiguousarray(small).astype(np.uint8, copy=False))
