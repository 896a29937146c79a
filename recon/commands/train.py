"""`recon train`: teach the networks that come with recon again, or others like them."""

from dataclasses import dataclass
from typing import Annotated

import tyro
from tyro.conf import subcommand

from recon.commands.train_bokeh_depth import TrainBokehDepth
from recon.commands.train_bokeh_generator import TrainBokehGenerator
from recon.commands.train_siamese import TrainSiamese


@dataclass(frozen=True)
class Train:
    """Teach a network on scenes that recon makes itself; goes on with what was stopped."""

    network: Annotated[
        Annotated[TrainSiamese, subcommand("siamese", prefix_name=False)]
        | Annotated[TrainBokehGenerator, subcommand("bokeh-generator", prefix_name=False)]
        | Annotated[TrainBokehDepth, subcommand("bokeh-depth", prefix_name=False)],
        tyro.conf.arg(name=""),
    ]

    def __call__(self) -> None:
        """Teach it."""
        self.network()
