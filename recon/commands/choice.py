"""The subcommands of `recon`, in the order in which a person meets them."""

from typing import Annotated

from tyro.conf import subcommand

from recon.commands.baseline import RunBaseline
from recon.commands.bokeh import Bokeh
from recon.commands.compare import Compare
from recon.commands.data import Data
from recon.commands.doctor import Doctor
from recon.commands.evaluate import Eval
from recon.commands.export import Export
from recon.commands.fit import Fit, Resume
from recon.commands.inspect import Inspect
from recon.commands.prior import Prior
from recon.commands.render import Render
from recon.commands.train import Train
from recon.commands.view import View

Command = (
    Annotated[Fit, subcommand("fit")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Eval, subcommand("eval")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[RunBaseline, subcommand("baseline")]
    | Annotated[View, subcommand("view")]
    | Annotated[Render, subcommand("render")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Inspect, subcommand("inspect")]
    | Annotated[Data, subcommand("data")]
    | Annotated[Prior, subcommand("prior")]
    | Annotated[Bokeh, subcommand("bokeh")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Doctor, subcommand("doctor")]
)
