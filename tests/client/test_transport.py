"""What is tried again, what isn't, and where credentials go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from posthuman.client.credentials import BearerToken
from posthuman.client.transport import Transport
from posthuman.errors import TransientError, UserError

Answer = tuple[int, dict[str, str]]


@contextmanager
def answering(*answers: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that says these, one after another, and keeps the Authorization headers."""
    said, seen = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            status, headers = said.pop(0)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_busy_servers_are_asked_again_after_as_long_as_they_say() -> None:
    waited: list[float] = []
    with answering((429, {"Retry-After": "7"}), (503, {}), (200, {})) as (url, seen):
        Transport(url, BearerToken("t"), sleep=waited.append).call("GET", "/x")
    assert len(seen) == 3
    assert waited == [7.0, 1.0]


def test_at_last_it_is_given_up() -> None:
    with (
        answering((503, {}), (503, {})) as (url, _),
        pytest.raises(TransientError, match="HTTP 503"),
    ):
        Transport(url, None, sleep=lambda _: None, tries=2).call("GET", "/x")


def test_a_refusal_is_not_asked_again() -> None:
    with answering((403, {})) as (url, seen):
        with pytest.raises(UserError):
            Transport(url, None, sleep=lambda _: None).call("GET", "/x")
        assert len(seen) == 1


def test_credentials_follow_no_redirect() -> None:
    with answering((200, {})) as (other, stolen):
        with answering((302, {"Location": other})) as (url, seen), pytest.raises(UserError):
            Transport(url, BearerToken("t")).call("GET", "/x")
        assert seen == ["Bearer t"]
        assert stolen == []


def test_a_gateway_that_is_not_there() -> None:
    waited: list[float] = []
    with pytest.raises(TransientError, match="can't be reached"):
        Transport("http://127.0.0.1:9", None, sleep=waited.append, tries=3).call("GET", "/x")
    assert waited == [0.5, 1.0]
