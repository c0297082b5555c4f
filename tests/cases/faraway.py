"""The net beyond this machine, played on it: a name service that lies, and public hosts that answer over TLS.

What is replaced are the two places where a process leaves for the net (`getaddrinfo` and a socket's `connect`), so the
whole program runs as it is: its look-ups, its checks, its TLS, its connections. Every address that a socket was told to
connect to is counted, whether anything answers there or not.
"""

import errno
import http.client
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

from imagebatch.http.transport import ssl_context
from tests.cases.bodies import png

API: Final = "93.184.216.10"
STRANGER: Final = "93.184.216.20"
APIS: Final[Mapping[str, tuple[str, str]]] = {
    "api.all-images.ai": ("/v1", "/all-images/v1"),
    "api.openai.com": ("/v1", "/openai/v1"),
    "hub.example": ("", "/aigne-hub"),
}
HOSTS: Final = (*APIS, "cdn.all-images.ai", "cdn.example", "evil.example")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_HOP: Final = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive", "host"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that reached a host of the net; header names in lower case."""

    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What a host of the net answers that is no simulator; without anything it is a picture."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"content-type": "image/png"})
    body: bytes = field(default_factory=png)


@dataclass(slots=True)
class Net:
    """The net during one scene.

    `answers` are what the name service says of a name, one answer for each look-up, the last one for good; names that
    it does not have do not exist. `hosts` says what stands at a name; the simulated APIs stand at their own.
    """

    answers: dict[str, list[Sequence[str]]] = field(default_factory=dict)
    hosts: dict[str, Says] = field(default_factory=dict)
    looked_up: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)
    connected: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        for host in HOSTS:
            self.answers.setdefault(host, [[API if host in APIS else STRANGER]])

    def look_up(self, host: str) -> Sequence[str]:
        """The addresses of a name; raises `gaierror` as the system does."""
        self.looked_up.append(host)
        known = self.answers.get(host)
        if known is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        answer = known[0] if len(known) == 1 else known.pop(0)
        self.told.update(answer)
        return answer

    def asked_at(self, host: str) -> list[Asked]:
        """What reached one host."""
        return [one for one in self.asked if one.host == host]


class Faraway:
    """The server behind all public hosts; one for a test process. `trusted` is the certificate to believe."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.trusted = folder / "authority.pem"
        self._key = folder / "key.pem"
        self._made()
        self.origin = origin
        self.net = Net()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.trusted, self._key)
        # The handshake happens in the connection's own thread: a client that breaks it off holds up nobody.
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    @contextmanager
    def played(self, net: Net) -> Iterator[Net]:
        """This process sees `net` instead of the real one until the end."""
        self.net = net
        real_lookup, real_connect = socket.getaddrinfo, socket.socket.connect
        simulator = int(self.origin.rpartition(":")[2])

        def getaddrinfo(host: Any, port: Any, family: int = 0, *rest: Any, **more: Any) -> list[Any]:
            if host is None or _is_here(str(host)):
                return list(real_lookup(host, port, family, *rest, **more))
            return [
                (socket.AF_INET6 if ":" in one else socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, int(port)))
                for one in net.look_up(str(host))
            ]

        def connect(self_: socket.socket, address: Any) -> None:
            if self_.family not in {socket.AF_INET, socket.AF_INET6} or address[:2] == ("127.0.0.1", simulator):
                return real_connect(self_, address)
            net.connected.append(str(address[0]))
            if address[0] not in net.told or address[1] != 443:
                raise ConnectionRefusedError(f"nobody is at {address[0]}:{address[1]}")
            return real_connect(self_, ("127.0.0.1", self.port))

        socket.getaddrinfo, socket.socket.connect = getaddrinfo, connect  # type: ignore[assignment, method-assign]
        ssl_context.cache_clear()
        try:
            yield net
        finally:
            socket.getaddrinfo, socket.socket.connect = real_lookup, real_connect  # type: ignore[method-assign]
            ssl_context.cache_clear()

    def forwarded(self, asked: Asked, method: str) -> tuple[int, list[tuple[str, str]], bytes]:
        """What the simulator answers to a request for one of the public APIs, with its own address made public."""
        front, behind = APIS[asked.host]
        path = behind + asked.path.removeprefix(front)
        link = http.client.HTTPConnection(self.origin.partition("://")[2], timeout=30)
        try:
            link.request(method, path, asked.body or None, {k: v for k, v in asked.headers.items() if k not in _HOP})
            answer = link.getresponse()
            body = answer.read().replace((self.origin + behind).encode(), f"https://{asked.host}{front}".encode())
            return answer.status, answer.getheaders(), body
        finally:
            link.close()

    def _made(self) -> None:
        names = ",".join(f"DNS:{host}" for host in HOSTS)
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-days", "2", "-subj", "/CN=imagebatch tests", "-addext", f"subjectAltName={names}"),
                *("-keyout", str(self._key), "-out", str(self.trusted)),
            ],
            capture_output=True,
            check=True,
        )  # fmt: skip


def _is_here(host: str) -> bool:
    """Whether a name is this machine, or an address that needs no name service."""
    if host in _LOOPBACK or not host:
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _handler(far: Faraway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            """Answer as the host that was asked for."""
            length = int(self.headers.get("content-length") or 0)
            asked = Asked(
                host=self.headers.get("host", "").partition(":")[0],
                path=self.path,
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(length),
            )
            far.net.asked.append(asked)
            if asked.host in far.net.hosts or asked.host not in APIS:
                says = far.net.hosts.get(asked.host, Says())
                status, headers, body = says.status, list(says.headers.items()), says.body
            else:
                status, headers, body = far.forwarded(asked, self.command)
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in _HOP | {"date", "server"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's own name
            """Say nothing."""

        def handle(self) -> None:
            """A connection that the client broke off is no news."""
            try:
                super().handle()
            except (OSError, ssl.SSLError):
                self.close_connection = True

    for method in ("GET", "POST", "PUT", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.answer)
    return Handler


@contextmanager
def refusing(origin: str, times: int) -> Iterator[None]:
    """The first connections of this process to an origin of this machine are refused."""
    real_connect, left = socket.socket.connect, times
    port = int(origin.rpartition(":")[2])

    def connect(self: socket.socket, address: Any) -> None:
        nonlocal left
        if address[:2] == ("127.0.0.1", port) and left > 0:
            left -= 1
            raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
        return real_connect(self, address)

    socket.socket.connect = connect  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        socket.socket.connect = real_connect  # type: ignore[method-assign]


def header_names(requests: Sequence[Asked]) -> frozenset[str]:
    """The names of all headers of these requests."""
    return frozenset(name for one in requests for name in one.headers)
