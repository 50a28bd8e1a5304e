"""Ocean's provider, as far as it talks to its backend: the same messages, signed the same way.

Written after ocean_provider/utils/accounts.py, utils/compute.py and validation/algo.py.
"""

from __future__ import annotations

from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_keys.datatypes import PrivateKey
from eth_utils.crypto import keccak

from posthuman.ledger.account import DEV_KEYS  # anvil's well-known ones
from posthuman.ports import Clock
from tests.builders import BOB

DATA_DID = "did:op:" + "d" * 64
ALGORITHM_DID = "did:op:" + "a" * 64
ORDER = "0x" + "1" * 64
ALGORITHM_ORDER = "0x" + "2" * 64
CHECKSUM = "sha256:" + "c" * 64
CHAIN_ID = 8996

Body = dict[str, Any]


class Provider:
    """Signs `owner [+ jobId] + nonce`; each nonce is the time in nanoseconds."""

    def __init__(self, clock: Clock, key: bytes = DEV_KEYS[5]) -> None:
        self.wallet: LocalAccount = Account.from_key(key)
        self._clock = clock
        self._calls = 0

    @property
    def address(self) -> str:
        return self.wallet.address

    def nonce(self) -> int:
        """time.time_ns() of the held clock, never twice the same."""
        self._calls += 1
        return int(self._clock.now().timestamp()) * 10**9 + self._calls

    def sign(self, message: str, v_offset: int = 0) -> str:
        """As sign_message() of the provider; v is 0 or 1, plus `v_offset`."""
        digest = keccak(b"\x19Ethereum Signed Message:\n32" + keccak(text=message))
        signed = PrivateKey(self.wallet.key).sign_msg_hash(digest)
        r, s = (value.to_bytes(32, "big").hex() for value in (signed.r, signed.s))
        return f"0x{r}{s}{signed.v + v_offset:02x}"

    def signed(self, owner: str, job_id: str = "", nonce: int | None = None) -> Body:
        """The two arguments that every call has."""
        nonce = self.nonce() if nonce is None else nonce
        return {"nonce": nonce, "providerSignature": self.sign(f"{owner}{job_id}{nonce}")}

    def query(self, owner: str = BOB, job_id: str = "", **more: Any) -> Body:
        """process_compute_request: what GET, PUT and DELETE /compute carry."""
        named: Body = {"owner": owner, "documentId": DATA_DID}
        if job_id:
            named["jobId"] = job_id
        return {"providerAddress": self.address, **named, **self.signed(owner, job_id), **more}

    def result(self, job_id: str, index: int | str, owner: str = BOB) -> Body:
        """computeResult's."""
        named = {"index": index, "owner": owner, "jobId": job_id, "consumerSignature": "0xabc"}
        return {**named, **self.signed(owner, job_id)}

    def start(self, environment: str = "ocean-compute", **more: Any) -> Body:
        """computeStart's payload: a data set and an algorithm, both by DID."""
        owner = more.get("owner", BOB)
        body: Body = {
            "workflow": workflow(),
            "agreementId": ALGORITHM_ORDER,
            "owner": owner,
            "providerAddress": self.address,
            "environment": environment,
            "validUntil": int(self._clock.now().timestamp()) + 3600,
            "chainId": CHAIN_ID,
            **self.signed(owner),
        }
        return {**body, **more}


def workflow(**stage: Any) -> Body:
    """WorkflowValidator's; `stage` replaces its parts."""
    one: Body = {
        "index": 0,
        "input": [
            {"index": 0, "id": DATA_DID, "remote": {"txId": ORDER, "serviceId": "service-0"}}
        ],
        "compute": {"Instances": 1, "namespace": "ocean-compute", "maxtime": 3600},
        "algorithm": bought_algorithm(),
        "output": {"metadataUri": "http://172.15.0.5:5000"},
    }
    return {"stages": [{**one, **stage}]}


def container(**more: Any) -> Body:
    return {
        "entrypoint": "python $ALGO",
        "image": "oceanprotocol/algo_dockers",
        "tag": "python-branin",
        "checksum": CHECKSUM,
        **more,
    }


def bought_algorithm(**more: Any) -> Body:
    """StageAlgoSerializer's, of a DID."""
    remote = {
        "serviceEndpoint": "http://172.15.0.4:8030",
        "txId": ALGORITHM_ORDER,
        "serviceId": "service-1",
        "userData": None,
    }
    return {
        "id": ALGORITHM_DID,
        "rawcode": "",
        "container": container(),
        "algouserdata": None,
        "remote": remote,
        "algocustomdata": None,
        **more,
    }


def raw_algorithm(**more: Any) -> Body:
    """StageAlgoSerializer's, of code."""
    return {
        "id": "",
        "url": None,
        "rawcode": "print('Hello world')",
        "container": container(),
        **more,
    }
