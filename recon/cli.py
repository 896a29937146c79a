"""The `recon` command: one subcommand each, errors without tracebacks, exit codes as designed."""

import sys
from typing import Annotated

import tyro
from tyro.conf import subcommand

from recon.commands.data import Data
from recon.commands.doctor import Doctor
from recon.commands.evaluate import Eval
from recon.commands.export import Export
from recon.commands.fit import Fit, Resume
from recon.commands.inspect import Inspect
from recon.commands.render import Render
from recon.errors import ReconError

Command = (
    Annotated[Fit, subcommand("fit")]
    | Annotated[Resume, subcommand("resume")]
    | Annotated[Eval, subcommand("eval")]
    | Annotated[Render, subcommand("render")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Inspect, subcommand("inspect")]
    | Annotated[Data, subcommand("data")]
    | Annotated[Doctor, subcommand("doctor")]
)


ABOUT = "Fit 3D Gaussians to posed photos, look at them, measure them, and take them elsewhere."


def main() -> None:
    """Run the command.

    Exit codes: 0 done, 2 wrong usage, 3 bad data, 4 resources lacking, 5 a value not finite,
    130 interrupted.
    """
    try:
        tyro.cli(Command, prog="recon", description=ABOUT)()
    except ReconError as error:
        print(f"recon: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("recon: interrupted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)


if __name__ == "__main__":
    main()
