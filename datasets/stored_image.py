"""Encoded images, wherever they lie: in files of their own, or within others."""

import abc
from io import BufferedReader, BytesIO
from pathlib import Path


class StoredImage(abc.ABC):
    """An encoded image that is a part of another file; `str` names it for people."""

    @abc.abstractmethod
    def read(self) -> bytes:
        """Read the encoded image.

        Raises:
            DataError: the file that holds it cannot be read; the message names file and record.
        """


ImageSource = Path | StoredImage
"""Where an image's bytes are."""


def open_bytes(source: ImageSource) -> BytesIO | BufferedReader:
    """Open an encoded image for reading.

    Raises:
        OSError: the file is missing.
        DataError: the file that holds the image cannot be read.
    """
    return BytesIO(source.read()) if isinstance(source, StoredImage) else source.open("rb")
