"""The `recon` command: one subcommand each, errors without tracebacks, exit codes as designed."""

import os
import sys
from importlib.metadata import version

from recon.errors import ReconError
from recon.memory import ran_out_of_memory

ABOUT = (
    "Fit 3D Gaussians to posed photos, look at them, measure them, and take them elsewhere. "
    "To begin: recon fit --data demo"
)
NO_MEMORY = (
    "not enough memory ({}). Ask for less: of a fit with --downscale, --max-gaussians, "
    "--drive.cameras or --drive.frames, of pictures with --width. What was saved is intact."
)


def main() -> None:
    """Run the command.

    Exit codes: 0 done, 2 wrong usage, 3 bad data, 4 resources lacking, 5 a value not finite,
    130 interrupted.
    """
    try:
        _run()
    except ReconError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", 130)
    except BrokenPipeError:
        # Python would complain again when it flushes what nobody reads any more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except Exception as error:
        if ran_out_of_memory(error):
            _end(NO_MEMORY.format(*str(error).splitlines() or ["nothing more is known"]), 4)
        if not isinstance(error, OSError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        _end(f"{error.filename or 'the output'}: {error.strerror or error}", 4)


def _run() -> None:
    if sys.argv[1:] == ["--version"]:
        print(version("defocus-recon"))
        return
    # Here, because torch takes seconds to import, in which Ctrl-C shall be heard as well.
    import tyro

    from recon.commands.choice import Command
    from recon.commands.optional import REGISTRY

    config = (tyro.conf.FlagCreatePairsOff,)
    tyro.cli(Command, prog="recon", description=ABOUT, config=config, registry=REGISTRY)()
    print(end="", flush=True)


def _end(words: str, exit_code: int) -> None:
    print(f"recon: {words}", file=sys.stderr)
    sys.exit(exit_code)


if __name__ == "__main__":
    main()
