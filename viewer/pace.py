"""How large a picture may be to be drawn in a given time."""

import math

STEP = 0.5
"""Share of the way to the number of rows that the last picture asks for: one slow picture, drawn
while another program was busy, does not decide."""


class Pace:
    """Learns from each picture how many rows the next may have.

    The time of a picture is taken to grow with its pixels, so that rows grow with the square root.
    """

    def __init__(self, seconds: float, rows: int, fewest: int = 90) -> None:
        """Begin with a guess.

        Args:
            seconds: that a picture may take.
            rows: of the first one.
            fewest: below which nobody sees anything.
        """
        self._seconds, self._rows, self._fewest = seconds, float(rows), fewest

    def rows(self, most: int) -> int:
        """Return the rows of the next picture, at most so many."""
        return max(1, min(most, round(max(self._rows, self._fewest))))

    def drawn(self, rows: int, seconds: float) -> None:
        """Learn that a picture of so many rows has taken so long."""
        wanted = rows * math.sqrt(self._seconds / max(seconds, 1e-4))
        # No picture says much about one of quite another size.
        wanted = min(max(wanted, rows / 3), rows * 3)
        self._rows += STEP * (wanted - self._rows)
        self._rows = min(max(self._rows, self._fewest), 4320)
