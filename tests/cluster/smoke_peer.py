"""Runs inside the smoke test's two pods: index 0 serves its peer's address, index 1 fetches it.

It is fetched by the pod's name and by the service's address, and must be the same both ways: the
seal lets peers in by their addresses, so nothing between two pods may hide them. Both then leave a
file on the shared volume. The program reaches the pods as a ConfigMap.
"""

import os
import socket
import time
from pathlib import Path

PORT = 29500
PATIENCE_SECONDS = 60.0
HOSTS = ("pair-0.pair", "leader")


def main() -> None:
    index = int(os.environ["JOB_COMPLETION_INDEX"])
    if index == 0:
        serve(len(HOSTS))
    else:
        seen = {fetch(host) for host in HOSTS}
        assert seen == {socket.gethostbyname(socket.gethostname())}, seen
    Path(f"/shared/{index}").write_text("done")
    print(f"peer {index} done", flush=True)


def serve(times: int) -> None:
    """Tell whoever asks under which address it was seen."""
    with socket.create_server(("", PORT)) as server:
        server.settimeout(PATIENCE_SECONDS)
        for _ in range(times):
            connection, (address, _) = server.accept()
            with connection:
                connection.sendall(address.encode())


def fetch(host: str) -> str:
    """Ask the peer until it is there: pods of one job start in no order."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with socket.create_connection((host, PORT), timeout=5) as connection:
                return connection.recv(64).decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    main()
