"""What a panel of the page is: one folder of controls."""

import abc
from typing import ClassVar

from recon.viewer.session import Session
from recon.viewer.subject import Subject


class Panel(abc.ABC):
    """One folder of controls. A new one is a class and a line in `recon.viewer.panels`.

    Every browser has its own: what one person turns does not turn at another's.
    """

    title: ClassVar[str]
    """Of the folder."""
    expanded: ClassVar[bool] = True
    """Whether the folder is open at first."""

    @classmethod
    def suits(cls, subject: Subject) -> bool:
        """Say whether this subject has anything for the panel to do; all have, unless told."""
        return True

    @abc.abstractmethod
    def build(self, session: Session) -> None:
        """Add the controls, inside the folder, and connect them.

        Args:
            session: the browser. Controls go to `session.client.gui`; what they change goes
                through `session.alter`, and comes back to all panels by `session.on_look`.
        """
