"""Runs inside the smoke test's two pods: index 0 serves a word, index 1 fetches it by name.

Both then leave a file on the shared volume. It reaches the pods as a ConfigMap.
"""

import os
import socket
import time
from pathlib import Path

PORT = 29500
WORD = b"hello"
PATIENCE_SECONDS = 60.0


def main() -> None:
    index = int(os.environ["JOB_COMPLETION_INDEX"])
    serve() if index == 0 else fetch("pair-0.pair")
    Path(f"/shared/{index}").write_text("done")
    print(f"peer {index} done", flush=True)


def serve() -> None:
    """Answer one peer."""
    with socket.create_server(("", PORT)) as server:
        server.settimeout(PATIENCE_SECONDS)
        connection, _ = server.accept()
        with connection:
            connection.sendall(WORD)


def fetch(host: str) -> None:
    """Ask the peer until it is there: pods of one job start in no order."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with socket.create_connection((host, PORT), timeout=5) as connection:
                assert connection.recv(len(WORD)) == WORD
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main()
