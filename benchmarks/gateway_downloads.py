"""The downloaders of benchmarks/gateway.py: a thread each, which throws away what comes."""

from __future__ import annotations

import http.client
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from benchmarks.gateway_replica import FILE, job_path

BUFFER_BYTES = 1024 * 1024


def download(host: str, number: int) -> int:
    """How many bytes came."""
    connection = http.client.HTTPConnection(host)
    headers = {"Authorization": f"Bearer person-{number}"}
    connection.request("GET", f"{job_path(number)}/results/{FILE}", headers=headers)
    response, buffer, got = connection.getresponse(), bytearray(BUFFER_BYTES), 0
    while count := response.readinto(buffer):
        got += count
    connection.close()
    return got


def main() -> None:
    """`URL COUNT BYTES`: prints how many downloads had all bytes."""
    host, count, size = urlsplit(sys.argv[1]).netloc, int(sys.argv[2]), int(sys.argv[3])
    with ThreadPoolExecutor(count) as pool:
        got = pool.map(lambda number: download(host, number), range(count))
        print(sum(bytes_ == size for bytes_ in got))


if __name__ == "__main__":
    main()
