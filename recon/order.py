"""Which view comes next: every view once per epoch, in a new random order each time."""

import torch
from torch import Tensor


class ViewOrder:
    """Draws view indices without replacement from torch's default generator."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.waiting: list[int] = []

    def next(self) -> int:
        """Return the next view's index."""
        if not self.waiting:
            self.waiting = torch.randperm(self.count).tolist()
        return self.waiting.pop()

    def following(self) -> int | None:
        """Return the index that will come next, or None where it is not drawn yet."""
        return self.waiting[-1] if self.waiting else None

    def state(self) -> dict[str, Tensor]:
        """Return what is left of this epoch."""
        return {"waiting": torch.tensor(self.waiting, dtype=torch.int64)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.waiting = state["waiting"].tolist()
