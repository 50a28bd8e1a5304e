"""Which jobs a request is about: by job, agreement and owner, of those that its signer may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.gateway.ocean.arguments import Arguments, chain_number, text
from posthuman.gateway.ocean.signing import Signer
from posthuman.gateway.problems import Problem
from posthuman.gateway.service import Gateway

ONE_OF = "You have to specify one of agreementId, jobId or owner"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Empty fields ask for nothing."""

    agreement_id: str = ""
    job_id: str = ""
    owner: str = ""
    chain_id: int | None = None

    def fits(self, job: ComputeJob) -> bool:
        """Whether the job has all that is named."""
        order = job.spec.order
        return (
            order is not None
            and (not self.owner or job.spec.owner.lower() == self.owner.lower())
            and (not self.job_id or job.metadata.name == self.job_id)
            and (not self.agreement_id or _same(order.agreement_id, self.agreement_id))
            and (self.chain_id is None or order.chain_id == self.chain_id)
        )


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def wanted_of(arguments: Arguments) -> Wanted:
    """Raises Problem where nothing is named."""
    names = ("agreementId", "jobId", "owner")
    agreement_id, job_id, owner = (text(arguments, name) for name in names)
    if not (agreement_id or job_id or owner):
        raise Problem(400, ONE_OF)
    chain_id = chain_number(arguments)
    return Wanted(agreement_id=agreement_id, job_id=job_id, owner=owner, chain_id=chain_id)


def find_jobs(gateway: Gateway, wanted: Wanted, signer: Signer) -> list[ComputeJob]:
    """In the order they were made."""
    found = [
        job for job in _candidates(gateway, wanted) if wanted.fits(job) and signer.may_see(job)
    ]
    own = {job.metadata.name for job in found if _is_own(gateway, job)}
    found = [job for job in found if _is_own(gateway, job) or job.metadata.name not in own]
    return sorted(found, key=lambda job: (job.metadata.creation_timestamp, job.metadata.name))


def _is_own(gateway: Gateway, job: ComputeJob) -> bool:
    """Made by this gateway: a purchase's name can be foreseen, and used in a tenant's namespace."""
    return job.metadata.namespace == gateway.settings.namespace


def _candidates(gateway: Gateway, wanted: Wanted) -> Iterable[ComputeJob]:
    if not wanted.job_id:
        return gateway.access.jobs()
    keys: Sequence[Key] = [Key(place, wanted.job_id) for place in gateway.settings.namespaces]
    return [job for key in keys if (job := gateway.access.seen_job(key)) is not None]
