"""Clients that take their time, on a real server: each is let go, and nobody else notices."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from posthuman.gateway.protocol import TimelyProtocol
from posthuman.gateway.settings import Limits
from tests.client.serving import Served, serving, store_of
from tests.gateway.people.world import BOB, passed

LIMIT_SECONDS = 0.3
LIMITS = Limits(
    idle_receive_seconds=LIMIT_SECONDS,
    body_seconds=2 * LIMIT_SECONDS,
    idle_send_seconds=LIMIT_SECONDS,
)
HEAD = b"POST /api/v1/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer tina\r\n"


class Impatient(TimelyProtocol):
    header_seconds = LIMIT_SECONDS
    taking_seconds = LIMIT_SECONDS


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(LIMITS, http=Impatient) as found:
        yield found


def connected(served: Served) -> socket.socket:
    parts = urlsplit(served.url)
    assert parts.hostname
    assert parts.port
    return socket.create_connection((parts.hostname, parts.port), timeout=30)


def everything(connection: socket.socket) -> bytes:
    """Until the server closes."""
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        return found
    return found


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_never_comes_whole(served: Served, sent: bytes) -> None:
    with connected(served) as connection:
        connection.sendall(sent)
        assert everything(connection) == b""


def test_a_byte_now_and_then_does_not_help(served: Served) -> None:
    with connected(served) as connection, pytest.raises(OSError):
        for byte in b"GET /healthz HTTP/1.1\r\nX: " + b"y" * 10_000:
            connection.sendall(bytes([byte]))
            time.sleep(LIMIT_SECONDS / 20)


def test_nor_in_a_later_request(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while not answer.endswith(b"ok\n"):
            answer += connection.recv(4096)
        connection.sendall(b"GET /he")
        assert everything(connection) == b""


def test_a_body_that_never_comes(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(HEAD + b"Content-Length: 10\r\n\r\n12345")
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer


def test_a_body_that_comes_byte_by_byte(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
        began = time.monotonic()
        connection.settimeout(LIMIT_SECONDS / 5)
        answer = b""
        while not answer and time.monotonic() - began < 30:
            connection.sendall(b"1")
            try:
                answer = connection.recv(65536)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408")


def test_a_body_of_unknown_length_has_the_same_limit(served: Served) -> None:
    with connected(served) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        connection.settimeout(30)
        try:
            for _ in range(60):
                connection.sendall(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        except OSError:
            pass  # it has answered and closed meanwhile
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413")


def test_a_download_that_nobody_takes_is_ended(served: Served) -> None:
    large = {"large.bin": bytes(64 * 1024 * 1024)}
    job = served.succeed(served.add_job("large"), large)
    until = int(served.world.clock.now().timestamp()) + 600
    with connected(served) as connection:
        host = urlsplit(served.url).netloc
        head = (
            f"GET /api/v1/jobs/ocean.{job.metadata.name}/results/large.bin HTTP/1.1\r\n"
            f"Host: {host}\r\nAuthorization: {passed(BOB, until, host)}\r\n\r\n"
        )
        connection.sendall(head.encode())
        first = connection.recv(1024)
        assert store_of(served).ended.wait(30)
        got = len(first) + len(everything(connection))
    assert first.startswith(b"HTTP/1.1 200")
    assert got < len(large["large.bin"])


def test_others_are_answered_meanwhile(served: Served) -> None:
    slow = [connected(served) for _ in range(200)]
    try:
        for connection in slow:
            connection.sendall(b"GET /hea")
        with urllib.request.urlopen(f"{served.url}/healthz", timeout=10) as answer:
            assert answer.status == 200
    finally:
        for connection in slow:
            connection.close()
