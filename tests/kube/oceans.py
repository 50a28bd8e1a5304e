"""Algorithms shaped as Ocean's public examples are, and jobs that run them on bought data."""

from __future__ import annotations

from typing import Any

import msgspec

from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, InputRecord, JobStatus
from posthuman.jobs.observed import Observed
from tests.builders import CHAIN, SETTINGS, environment, job
from tests.provider.server import ORDER, ProviderServer

TEXT = "did:op:" + "a1" * 32
CODE = "did:op:" + "b2" * 32
SHORT = TEXT.removeprefix("did:op:")
SIGNED = b"s3cr3t-c0ffee"  # stands for what nobody but the stage step may see
FILES = {"branin.arff": b"1,2,3\n4,5,6\n", "more.csv": b"7\n"}

# https://docs.oceanprotocol.com (writing algorithms): DIDS, the DDOs, every file of each input, the
# consumer's parameters; results below outputs.
PYTHON = b"""\
import json, os, sys
volume = os.environ["VOLUME"]
dids = json.loads(os.environ["DIDS"])
seen = {"secret": os.environ["secret"], "parameters": None, "files": {}, "ddos": []}
with open(f"{volume}/inputs/algoCustomData.json") as file:
    seen["parameters"] = json.load(file)
for did in dids + [os.environ["TRANSFORMATION_DID"]]:
    with open(f"{volume}/ddos/{did}") as file:
        seen["ddos"].append(json.load(file)["id"])
for did in dids:
    folder = f"{volume}/inputs/{did}"
    for name in sorted(os.listdir(folder)):
        with open(f"{folder}/{name}") as file:
            seen["files"][name] = file.read()
with open(f"{volume}/outputs/result.json", "w") as file:
    json.dump(seen, file)
print(json.dumps(seen))
sys.exit(len(sys.argv) - 1)
"""
# A container with a program of its own, which needs no file of the job's.
OWN_PROGRAM = """python3 -c "
import json, os
volume = os.environ['VOLUME']
for did in json.loads(os.environ['DIDS']):
    with open(f'{volume}/inputs/{did}/0') as data, open(f'{volume}/outputs/lines', 'w') as result:
        result.write(str(len(data.readlines())))
print(open(f'{volume}/outputs/lines').read(), 'lines')
" """


def place(work: str, server: ProviderServer, store: str) -> ComputeEnvironment:
    chain = {
        **CHAIN,
        "providerUrl": server.url,
        "metadataUrl": server.url,
        "consumerKeySecret": {"name": "consumer"},
    }
    found = environment(chain=chain, store={"url": store}, workNamespace=work)
    small = msgspec.structs.replace(
        found.spec.hardware, gpus_per_node=0, cpu_per_node="1", memory_per_node="256Mi"
    )
    spec = msgspec.structs.replace(found.spec, hardware=small)
    return msgspec.structs.replace(found, spec=spec)


def buying_job(namespace: str, container: dict[str, Any], **spec: Any) -> ComputeJob:
    """An accepted job of Bob's: bought data, bought code, a Secret as user data."""
    paid = {"did": TEXT, "order": {"txId": ORDER}, "userDataSecretRef": {"name": "mine"}}
    made = job(
        inputs=[{"name": "text", "kind": "dataset", **paid}],
        algorithm={"did": CODE, "order": {"txId": ORDER}, "container": container},
        parameters={"steps": 5},
        resources={"cpu": "100m", "memory": "128Mi"},
        **spec,
    )
    records = (InputRecord(name="text", kind="dataset", did=TEXT),)
    meta = msgspec.structs.replace(made.metadata, namespace=namespace)
    return msgspec.structs.replace(made, metadata=meta, status=JobStatus(inputs=records))


def seen_of(found: ComputeJob, environment: ComputeEnvironment, server: ProviderServer) -> Observed:
    return Observed(job=found, settings=SETTINGS, environment=environment, ddos=dict(server.ddos))
