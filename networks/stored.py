"""Networks' weights on disk: as they come with the package, or a person's own."""

from pathlib import Path

import safetensors
from safetensors.torch import load_file, save_file
from torch import nn

from recon.errors import DataError, first_line
from recon.evidence.weights import unfilled
from recon.files import replacing
from recon.networks.siamese_coc import SiameseNetwork

FILE = "siamese_coc.safetensors"
CARD = "siamese_coc.md"
PACKAGED = Path(__file__).with_name(FILE)
"""Made by `recon train siamese`; the card beside it says how."""


def save_network(network: nn.Module, path: Path) -> None:
    """Write the weights, whole or not at all."""
    with replacing(path) as temporary:
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, temporary)


def load_network(path: Path) -> SiameseNetwork:
    """Read the siamese network.

    Raises:
        DataError: the file is missing, damaged or of another network.
    """
    network = unfilled(SiameseNetwork)
    load_into(network, path, "siamese")
    return network.eval()


def load_into(network: nn.Module, path: Path, made_by: str) -> None:
    """Read weights into a network.

    Args:
        network: to be filled.
        path: of the weights.
        made_by: what `recon train` calls the network.

    Raises:
        DataError: the file is missing, damaged or of another network.
    """
    expected = f"{path}: expected the weights that `recon train {made_by}` writes"
    try:
        network.load_state_dict(load_file(path), assign=True)
    except (OSError, safetensors.SafetensorError) as error:
        raise DataError(
            f"{expected}, found no safetensors ({first_line(error)}). Train again, or leave "
            "--weights out for those that come with recon."
        ) from error
    except (RuntimeError, KeyError) as error:
        raise DataError(f"{expected}, found others ({first_line(error)}).") from error
