"""Reading other people's weights into a network, without running what a file may hold."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from recon.errors import DataError

WRAPPERS = ("state_dict", "model_state_dict")
"""Names under which a checkpoint keeps the tensors among other things."""


def load_state_dict(
    network: nn.Module, path: Path, name: str, absent: tuple[str, ...] = (), prefix: str = ""
) -> None:
    """Fill a network from a file that torch saved.

    Args:
        network: to be filled.
        path: the file.
        name: of the network, for people.
        absent: beginnings of those names that the file need not bring.
        prefix: what stands before the names in some files.

    Raises:
        DataError: the file cannot be read, or is another network's.
    """
    tensors = {key.removeprefix(prefix): value for key, value in read_tensors(path, name).items()}
    expected = network.state_dict()
    missing = [k for k in expected if k not in tensors and not k.startswith(absent)]
    extra = [key for key in tensors if key not in expected]
    reshaped = [k for k in tensors if k in expected and tensors[k].shape != expected[k].shape]
    for what, keys in (("lacks", missing), ("has besides", extra), ("has reshaped", reshaped)):
        if keys:
            raise DataError(
                f"{path}: not the weights of {name}; of what was expected it {what} {keys[0]}"
                f"{f' and {len(keys) - 1} more' if len(keys) > 1 else ''}."
            )
    network.load_state_dict(tensors, strict=False)


def read_tensors(path: Path, name: str) -> Mapping[str, Tensor]:
    """Read the tensors of a checkpoint by name.

    Raises:
        DataError: it cannot be read.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).strip().splitlines()
        raise DataError(
            f"{path}: cannot be read as the weights of {name} "
            f"({reason[0] if reason else type(error).__name__}); get the file again."
        ) from error
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and wrapper in content:
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(v, Tensor) for v in content.values()):
        raise DataError(f"{path}: holds no tensors by name; expected the weights of {name}.")
    return content
