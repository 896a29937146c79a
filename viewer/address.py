"""Where the page is served, and how a person gets there."""

import getpass
import socket
import sys
import threading
from dataclasses import dataclass

from recon.viewer.guard import is_loopback


@dataclass(frozen=True)
class Address:
    """Where the page is served."""

    host: str = "127.0.0.1"
    """This machine's name or number to serve at; 127.0.0.1 is reached from this machine alone."""
    port: int = 8080
    """The next free one is taken where it is in use."""


def tell_the_way(asked: Address, port: int, url: str) -> None:
    """Print `directions`."""
    for line in directions(asked, port, url):
        print(line, file=sys.stderr, flush=True)


def stay_open() -> None:
    """Return at Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        print("closed", file=sys.stderr)


def directions(asked: Address, port: int, url: str) -> list[str]:
    """Return the lines that tell a person how to open the page.

    Args:
        asked: what was asked for.
        port: that was free.
        url: with its token.
    """
    lines = [f"open {url}"]
    if port != asked.port:
        lines.insert(0, f"port {asked.port} is in use, {port} is taken instead")
    if is_loopback(asked.host):
        here = f"{getpass.getuser()}@{socket.gethostname()}"
        lines.append(f"from another machine, first: ssh -L {port}:127.0.0.1:{port} {here}")
    else:
        lines.append(
            f"warning: --host {asked.host} serves to the network without encryption. Whoever reads "
            "along learns the token and sees the scene; leave --host out and use ssh -L instead."
        )
    return lines
