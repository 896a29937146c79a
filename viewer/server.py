"""The page's server: viser behind a guard, and one session per browser."""

import errno
import http
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import viser
import websockets.asyncio.server
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from recon.errors import ResourceError
from recon.silence import silent_console
from recon.viewer.address import Address
from recon.viewer.cameras import field_of_view
from recon.viewer.guard import HEADERS, TOKEN, Guard, Refusal
from recon.viewer.panels import PANELS
from recon.viewer.session import Session
from recon.viewer.subject import Subject

TRIES = 100
"""Ports that are tried, one after the other."""

JUDGED = ("Host", "Origin", "Cookie")
"""Headers that the guard looks at."""

Answer = Callable[[Any, Request], Response | None]
"""What websockets asks before it opens a socket; None opens it."""


class GuardedServer(viser.ViserServer):
    """viser without its tunnel through a stranger's machine."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Refuse: whoever shall see the page gets its address."""
        return None


class ViewerServer:
    """A page on which any number of browsers look at one subject."""

    def __init__(self, subject: Subject, address: Address) -> None:
        """Serve.

        Raises:
            ResourceError: the host is none of this machine's, or no port is free.
        """
        self._subject, self._guard = subject, Guard(address.host)
        self._sessions: dict[int, Session] = {}
        self._lock = threading.Lock()
        self._server = _start(address, self._guard)
        self.host, self.port = address.host, self._server.get_port()
        self._prepare()
        self._server.on_client_connect(self._enter)
        self._server.on_client_disconnect(self._leave)

    @property
    def url(self) -> str:
        """The whole address, with the token that opens it."""
        name = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host
        name = f"[{name}]" if ":" in name else name
        return f"http://{name}:{self.port}/?{TOKEN}={self._guard.token}"

    @property
    def watchers(self) -> int:
        """How many browsers are open."""
        return len(self._sessions)

    def tell(self, title: str, words: str) -> None:
        """Show a note in every browser."""
        for session in tuple(self._sessions.values()):
            session.tell(title, words)

    def close(self) -> None:
        """End all sessions, and serve no longer."""
        with self._lock:
            sessions = tuple(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()
        with silent_console():
            self._server.stop()

    def _prepare(self) -> None:
        server, subject = self._server, self._subject
        server.gui.configure_theme(
            dark_mode=True, show_logo=False, show_share_button=False, control_layout="floating"
        )
        server.gui.set_panel_label(subject.source.title)
        server.scene.set_up_direction(tuple(subject.up.tolist()))
        home, first = subject.home, server.initial_camera
        to_world = home.world_to_camera[:3, :3].detach().cpu().double().T
        position = home.position.detach().cpu().double()
        first.position = position.numpy()
        first.look_at = (position + subject.depths.far * to_world[:, 2]).numpy()
        first.up = tuple(subject.up.tolist())
        first.fov = field_of_view(home, home.width, home.height)

    def _enter(self, client: viser.ClientHandle) -> None:
        session = Session(client, self._subject)
        with self._lock:
            self._sessions[client.client_id] = session
        for kind in PANELS:
            if kind.suits(self._subject):
                with client.gui.add_folder(kind.title, expand_by_default=kind.expanded):
                    kind().build(session)
        if client.client_id not in self._server.get_clients():
            # It went while its page was made, and may have been missed.
            self._leave(client)

    def _leave(self, client: viser.ClientHandle) -> None:
        with self._lock:
            session = self._sessions.pop(client.client_id, None)
        if session is not None:
            session.close()


def _start(address: Address, guard: Guard) -> GuardedServer:
    """Start viser with the guard before its own answers.

    viser has no place for one, and calls `serve` of websockets by its full name: so `serve` is
    another function while viser starts. That the guard stands is checked, not hoped for.
    """
    port = free_port(address)
    with _guarding(guard) as stands, silent_console():
        server = GuardedServer(address.host, port, verbose=False)
        if not stands():
            server.stop()
            raise ResourceError(
                "this version of viser serves in a way that recon cannot guard; expected "
                "'viser>=1.1,<1.2', install that."
            )
    return server


def free_port(address: Address) -> int:
    """Return the first port from the one asked for on that nobody uses.

    Raises:
        ResourceError: the host is none of this machine's, or no port is free.
    """
    for port in range(address.port, min(address.port + TRIES, 65536)):
        try:
            family, kind, _, _, place = socket.getaddrinfo(
                address.host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind) as trial:
                # As servers do: a port that another program has just left is free.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(place)
                return port
        except (OSError, OverflowError) as why:
            in_use = isinstance(why, OSError) and why.errno in (errno.EADDRINUSE, errno.EACCES)
            if not in_use:
                raise ResourceError(
                    f"cannot serve at {address.host}, port {port}: {why}. Expected a name or "
                    "number of this machine and a port from 1 to 65535; choose --host and --port."
                ) from why
    raise ResourceError(
        f"no port from {address.port} on is free at {address.host}; choose another --port."
    )


@contextmanager
def _guarding(guard: Guard) -> Iterator[Callable[[], bool]]:
    """Let servers that start inside ask the guard first; yields whether one has."""
    genuine = websockets.asyncio.server.serve
    guarded: list[Any] = []

    def serve(*arguments: Any, process_request: Answer, **rest: Any) -> Any:
        guarded.append(arguments)
        answer = _guarded(guard, process_request)
        return genuine(*arguments, process_request=answer, **rest)

    module: Any = websockets.asyncio.server
    module.serve = serve
    try:
        yield lambda: bool(guarded)
    finally:
        module.serve = genuine


def _guarded(guard: Guard, process_request: Answer) -> Answer:
    def answer(connection: Any, request: Request) -> Response | None:
        sent = ((name.title(), value) for name, value in request.headers.raw_items())
        pairs = [(name, value) for name, value in sent if name in JUDGED]
        headers = dict(pairs)
        if len(headers) < len(pairs):
            # Nobody could say which one the browser meant.
            return _refused(Refusal(400, "a header was sent twice"))
        refusal = guard.refusal(request.path, headers)
        if refusal is not None:
            return _refused(refusal)
        response = process_request(connection, request)
        if response is not None:
            response.headers.update(HEADERS)
            if f"{TOKEN}=" in request.path:
                response.headers["Set-Cookie"] = guard.cookie(headers)
        return response

    return answer


def _refused(refusal: Refusal) -> Response:
    status = http.HTTPStatus(refusal.status)
    body = f"recon: {refusal.why}\n".encode()
    headers = Headers({"Content-Type": "text/plain; charset=utf-8", **HEADERS})
    headers["Content-Length"] = str(len(body))
    headers["Connection"] = "close"
    return Response(status, status.phrase, headers, body)
