import http.client
import socket
from collections.abc import Iterator

import pytest
from viewer_scenes import stage, walls
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from recon.errors import ResourceError
from recon.viewer.address import Address, directions
from recon.viewer.guard import Guard, cookie_name, is_loopback
from recon.viewer.server import ViewerServer, free_port
from recon.viewer.subject import Source, Subject

GUARD = Guard("127.0.0.1", "secret")
PATH = "/?token=secret"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:9000", "[::1]:8080", "LOCALHOST"])
def test_the_token_opens_the_page_by_any_name_of_this_machine(host: str) -> None:
    assert GUARD.refusal(PATH, {"Host": host}) is None
    assert GUARD.refusal(PATH, {"Host": host, "Origin": f"http://{host.lower()}"}) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8080", "192.168.1.2", "", "[", "a:b:c"]
)
def test_other_names_are_refused_whatever_they_know(host: str) -> None:
    refusal = GUARD.refusal(PATH, {"Host": host})
    assert refusal is not None
    assert refusal.status == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9999", "null", "http://localhost:8080"]
)
def test_pages_of_other_origins_are_refused(origin: str) -> None:
    headers = {"Host": "127.0.0.1:8080", "Origin": origin, "Cookie": GUARD.cookie({"Host": ""})}
    refusal = GUARD.refusal(PATH, headers)
    assert refusal is not None
    assert refusal.status == 403


@pytest.mark.parametrize(
    "path", ["/", "/?token=", "/?token=secre", "/?token=secretx", "/?x=secret"]
)
def test_without_the_whole_token_nothing_is_shown(path: str) -> None:
    refusal = GUARD.refusal(path, {"Host": "localhost"})
    assert refusal is not None
    assert refusal.status == 401


def test_the_cookie_stands_for_the_token_at_its_own_port_alone() -> None:
    cookie = GUARD.cookie({"Host": "localhost:8080"})
    name, _, rest = cookie.partition("=")
    assert name == cookie_name(8080)
    assert {"HttpOnly", "SameSite=Strict"} <= {part.strip() for part in rest.split(";")}
    sent = {"Host": "localhost:8080", "Cookie": f"other=1; {name}=secret"}
    assert GUARD.refusal("/", sent) is None
    assert GUARD.refusal("/", {**sent, "Host": "localhost:8081"}) is not None
    assert GUARD.refusal("/", {**sent, "Cookie": f"{name}=wrong"}) is not None
    assert GUARD.refusal("/", {**sent, "Cookie": "\x00;;=="}) is not None


def test_a_server_for_the_network_is_called_by_numbers_and_its_own_names() -> None:
    open_guard = Guard("0.0.0.0", "secret")
    assert open_guard.refusal(PATH, {"Host": "192.168.1.2:8080"}) is None
    assert open_guard.refusal(PATH, {"Host": f"{socket.gethostname()}:8080"}) is None
    assert open_guard.refusal(PATH, {"Host": "evil.example:8080"}) is not None


def test_tokens_are_long_and_not_printed() -> None:
    tokens = {Guard("localhost").token for _ in range(50)}
    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 32
    assert GUARD.token not in repr(GUARD)


def test_directions_say_how_to_come_from_elsewhere_and_warn_of_open_doors() -> None:
    at_home = directions(Address(), 8080, "URL")
    assert at_home[0] == "open URL"
    assert "ssh -L 8080:127.0.0.1:8080 " in at_home[1]
    assert "warning" not in " ".join(at_home)
    moved = directions(Address(), 8083, "URL")
    assert moved[0] == "port 8080 is in use, 8083 is taken instead"
    assert "-L 8083:" in moved[2]
    away = " ".join(directions(Address("0.0.0.0"), 8080, "URL"))
    assert "warning: --host 0.0.0.0" in away
    assert is_loopback("127.0.0.2")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")


def test_a_port_in_use_gives_way_to_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = free_port(Address(port=port))
    assert port < found <= port + 100


@pytest.mark.parametrize(
    "address", [Address("203.0.113.7"), Address("no.such.host.invalid"), Address(port=70_000)]
)
def test_places_that_cannot_be_served_at_are_named(address: Address) -> None:
    with pytest.raises(ResourceError, match="--port"):
        free_port(address)


@pytest.fixture(scope="module")
def server() -> Iterator[ViewerServer]:
    running = ViewerServer(Subject(stage(walls(0.6)), Source("walls")), Address(port=18_300))
    yield running
    running.close()


def get(server: ViewerServer, path: str, **headers: str) -> tuple[int, str, bytes]:
    """Return status, cookie and body; headers replace the usual ones."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    return answer.status, answer.getheader("Set-Cookie", ""), answer.read()


def token_of(server: ViewerServer) -> str:
    return server.url.rpartition("=")[2]


def test_the_page_opens_by_its_address_and_then_by_its_cookie(server: ViewerServer) -> None:
    status, cookie, body = get(server, server.url.partition(str(server.port))[2])
    assert status == 200
    assert b"<html" in body
    status, again, _ = get(server, "/", Cookie=cookie.partition(";")[0])
    assert (status, again) == (200, "")


def test_the_page_stays_closed_to_strangers(server: ViewerServer) -> None:
    key = f"/?token={token_of(server)}"
    assert get(server, "/")[0] == 401
    assert get(server, "/index.html")[0] == 401
    assert get(server, key, Host="evil.example")[0] == 403
    assert get(server, key, Origin="http://evil.example")[0] == 403
    _, cookie, body = get(server, "/?token=guess")
    assert cookie == ""
    assert token_of(server).encode() not in body


@pytest.mark.parametrize(
    "path",
    ["/../../../../etc/passwd", "/..%2f..%2f..%2f..%2fetc/passwd", "//etc/passwd", "/etc/passwd",
     "/%2e%2e/%2e%2e/pyproject.toml", "/..\\..\\pyproject.toml", "/config.json"],
)  # fmt: skip
def test_no_file_is_read_but_the_pages_own(server: ViewerServer, path: str) -> None:
    status, _, body = get(server, f"{path}?token={token_of(server)}")
    assert status == 404
    assert b"root:" not in body


def test_the_socket_opens_to_the_cookie_alone(server: ViewerServer) -> None:
    address = f"ws://127.0.0.1:{server.port}"
    own = f"http://127.0.0.1:{server.port}"
    cookie = {"Cookie": f"{cookie_name(server.port)}={token_of(server)}"}
    for headers, origin, status in (
        ({}, own, 401),
        (cookie, "http://evil.example", 403),
        # The client sends its own Host as well: nobody can say which one counts.
        ({**cookie, "Host": "evil.example"}, None, 400),
    ):
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(address, additional_headers=headers, origin=origin),  # type: ignore[arg-type]
        ):
            pass
        assert refused.value.response.status_code == status
    with connect(address, additional_headers=cookie, origin=own):  # type: ignore[arg-type]
        pass


def test_the_tunnel_through_a_stranger_is_shut(server: ViewerServer) -> None:
    assert server._server.request_share_url() is None
    assert server._server._share_tunnel is None
