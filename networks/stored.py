"""The network's weights on disk: as they come with the package, or a person's own."""

from pathlib import Path

import safetensors
from safetensors.torch import load_file, save_file

from recon.errors import DataError, first_line
from recon.files import replacing
from recon.networks.siamese_coc import SiameseNetwork

FILE = "siamese_coc.safetensors"
CARD = "siamese_coc.md"
PACKAGED = Path(__file__).with_name(FILE)
"""Made by `recon train siamese`; the card beside it says how."""


def save_network(network: SiameseNetwork, path: Path) -> None:
    """Write the weights, whole or not at all."""
    with replacing(path) as temporary:
        save_file({k: v.contiguous() for k, v in network.state_dict().items()}, temporary)


def load_network(path: Path) -> SiameseNetwork:
    """Read weights.

    Raises:
        DataError: the file is missing, damaged or of another network.
    """
    expected = f"{path}: expected the weights that `recon train siamese` writes"
    network = SiameseNetwork()
    try:
        network.load_state_dict(load_file(path))
    except (OSError, safetensors.SafetensorError) as error:
        raise DataError(
            f"{expected}, found no safetensors ({first_line(error)}). Train again, or leave "
            "--weights out for those that come with recon."
        ) from error
    except (RuntimeError, KeyError) as error:
        raise DataError(f"{expected}, found others ({first_line(error)}).") from error
    return network.eval()
