"""Who may talk to the page's server: whoever knows its token, through a name that is ours.

A server on this machine can be reached by every page that the browser has open, and by every user.
So every request, for files and for the socket, must carry a random token: first in the address that
`recon` prints, then in a cookie. `Host` is checked because a stranger's name may be made to point
at this machine (DNS rebinding), `Origin` because cookies go to a socket whatever page opens it.
"""

import hmac
import ipaddress
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

TOKEN = "token"
"""The name in the address, and the beginning of the cookie's name."""
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Sent with every answer: no other page may frame ours, and the token is told to nobody."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not answered."""

    status: int
    why: str


@dataclass(frozen=True)
class Guard:
    """The rules of one server."""

    host: str
    """That the server is bound to."""
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def refusal(self, path: str, headers: Mapping[str, str]) -> Refusal | None:
        """Judge a request; None where it may be answered.

        Args:
            path: with its query.
            headers: by their usual names, `Host`, `Origin` and `Cookie`.
        """
        host = headers.get("Host", "")
        if not self._is_ours(_name(host)):
            return Refusal(403, f"{host[:100]!r} is not a name of this server")
        origin = headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return Refusal(403, "another page may not talk to this server")
        port = _port(host)
        given = [*parse_qs(urlsplit(path).query).get(TOKEN, []), _cookie(headers, port)]
        if not any(hmac.compare_digest(word.encode(), self.token.encode()) for word in given):
            return Refusal(401, "open the whole address that recon printed, with its token")
        return None

    def cookie(self, headers: Mapping[str, str]) -> str:
        """Return the cookie that stands for the token from now on, for the host asked for."""
        name = cookie_name(_port(headers.get("Host", "")))
        return f"{name}={self.token}; Path=/; HttpOnly; SameSite=Strict"

    def _is_ours(self, name: str) -> bool:
        if name in ("localhost", self.host.lower()) or _is_loopback(name):
            return True
        # A server for the network is called by any of its numbers, which no DNS can fake.
        return not is_loopback(self.host) and (_is_number(name) or name in _names_of_machine())


def is_loopback(host: str) -> bool:
    """Say whether a server bound to this host is reached from this machine alone."""
    return host == "localhost" or _is_loopback(host)


def cookie_name(port: int) -> str:
    """Name the cookie of a port; cookies know no ports, and two viewers must not share one."""
    return f"recon-{TOKEN}-{port}"


def _cookie(headers: Mapping[str, str], port: int) -> str:
    try:
        morsel = SimpleCookie(headers.get("Cookie", "")).get(cookie_name(port))
    except CookieError:
        return ""
    return "" if morsel is None else morsel.value


def _name(host: str) -> str:
    """Return the name of `name:port` or `[number]:port`, in small letters."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _port(host: str) -> int:
    try:
        return urlsplit(f"//{host}").port or 80
    except ValueError:
        return 80


def _is_number(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_number(name) and ipaddress.ip_address(name).is_loopback


def _names_of_machine() -> set[str]:
    return {socket.gethostname().lower(), socket.getfqdn().lower()}
