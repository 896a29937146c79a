import math
from dataclasses import dataclass

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from recon.errors import NumericError
from recon.supervise import Objective, Sample, Term


@dataclass(frozen=True)
class Constant(Term):
    value: float
    weight: float = 1.0
    label: str = "constant"

    @property
    def name(self) -> str:
        return self.label

    def penalty(self, sample: Sample) -> Float[Tensor, ""]:
        return torch.tensor(self.value)


def test_the_total_is_the_weighted_sum_and_the_parts_are_not_weighted(sample: Sample) -> None:
    objective = Objective([Constant(2.0, 0.5, "a"), Constant(3.0, 2.0, "b")])
    found = objective(sample)
    total, parts = found.total, found.parts
    assert float(total) == 7.0
    assert parts == {"a": 2.0, "b": 3.0}


def test_weight_0_computes_nothing(sample: Sample) -> None:
    parts = Objective([Constant(2.0), Constant(math.nan, 0.0, "off")])(sample).parts
    assert parts == {"constant": 2.0}


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_term_that_is_not_finite_is_named_with_step_and_view(
    value: float, sample: Sample
) -> None:
    with pytest.raises(NumericError, match=r"broken term.*step 812.*front_0031"):
        Objective([Constant(1.0), Constant(value, 1.0, "broken")])(sample)
