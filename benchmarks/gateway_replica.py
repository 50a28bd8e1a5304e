"""The server of benchmarks/gateway.py: the gateway as it is deployed, its cluster in memory."""

from __future__ import annotations

import socket
import sys

import msgspec
import uvicorn
from msgspec.structs import replace

from jobkit.manifest import digest_of
from posthuman.api.environment import ComputeEnvironment, StoreSpec
from posthuman.api.job import Phase, Results
from posthuman.api.meta import Key
from posthuman.bootstrap import SystemClock
from posthuman.gateway.app import create_app
from posthuman.gateway.ports import Files, Person
from posthuman.gateway.protocol import TimelyProtocol
from posthuman.gateway.service import Gateway
from posthuman.gateway.settings import GatewaySettings, Limits
from posthuman.store.streams import open_files
from tests import builders
from tests.fakes.gateway import FakeAccess

FILE = "large.bin"
NAMESPACE = "bob"


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """What the server is told, on its standard input."""

    store: StoreSpec
    credentials: dict[str, str]
    manifest: str
    people: int = 0


def job_path(number: int) -> str:
    """Of one person's job."""
    return f"/api/v1/jobs/{NAMESPACE}.job-{number}"


def filled(setup: Setup) -> FakeAccess:
    """Somebody for each poller, with a finished job."""
    access = FakeAccess()
    access.add_environment(builders.environment())
    results = Results(uri="", prefix="jobs/one", manifest_digest=digest_of(setup.manifest.encode()))
    for number in range(setup.people):
        name = f"person-{number}"
        access.people[name] = Person(username=name)
        access.allowed.add((name, "get", "ComputeJob", NAMESPACE))
        job = builders.job(f"job-{number}", uid=f"uid-{number}")
        status = replace(job.status, phase=Phase.SUCCEEDED, results=results)
        access.all_jobs[Key(NAMESPACE, f"job-{number}")] = replace(job, status=status)
    return access


def main() -> None:
    """Serve at the listening socket whose file descriptor is named, until terminated."""
    setup = msgspec.json.decode(sys.stdin.readline(), type=Setup)
    files = open_files(setup.store, setup.credentials)

    async def files_of(environment: ComputeEnvironment) -> Files:
        return files

    settings = GatewaySettings(namespace="ocean", also_namespaces=(NAMESPACE,), limits=Limits())
    gateway = Gateway(filled(setup), files_of, SystemClock(), settings)
    config = uvicorn.Config(
        create_app(gateway), http=TimelyProtocol, log_config=None, access_log=False
    )
    listener = socket.socket(fileno=int(sys.argv[1]))
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
