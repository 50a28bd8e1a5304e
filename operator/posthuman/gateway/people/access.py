"""What a caller may see and do: the one place that decides it.

A wallet's holder sees and makes the jobs of its own address in the gateway's own namespace, and
nothing else; other people's are not there at all for them. A person with a bearer token may do what
their own RBAC lets them do with kubectl (SubjectAccessReview); for whom they may act is
policy.tenants' matter, and the operator's to check, as for kubectl.
"""

from __future__ import annotations

from posthuman.api.asset import ModelAsset
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.errors import NotFound
from posthuman.gateway.people.callers import Caller, Wallet
from posthuman.gateway.people.offer_view import asset_id
from posthuman.gateway.people.remembered import Remembered
from posthuman.gateway.ports import JobAccess, Person
from posthuman.gateway.problems import Problem
from posthuman.gateway.settings import GatewaySettings

RIGHT_SECONDS = 10.0


class Access:
    """Decides for one gateway."""

    def __init__(self, access: JobAccess, settings: GatewaySettings) -> None:
        self._access = access
        self._settings = settings
        self._rights: Remembered[tuple[Person, str, str, str], bool] = Remembered(RIGHT_SECONDS)

    async def jobs(self, caller: Caller, namespace: str = "") -> list[ComputeJob]:
        """All that the caller may list. Raises Problem 403 for a namespace that is named and may
        not be listed."""
        if namespace:
            await self.namespace_for(caller, "list", namespace)
        found = [job for job in self._access.jobs() if namespace in ("", job.metadata.namespace)]
        if isinstance(caller, Wallet):
            return [job for job in found if self._is_of(caller, job)]
        allowed = {
            name
            for name in {job.metadata.namespace for job in found}
            if await self._may(caller, "list", "ComputeJob", name)
        }
        return [job for job in found if job.metadata.namespace in allowed]

    async def job(self, caller: Caller, verb: str, job_id: str) -> ComputeJob:
        """The job, for one who may do this with it. Raises NotFound, Problem 403."""
        namespace, _, name = job_id.partition(".")
        key = Key(namespace, name)
        if isinstance(caller, Person):
            await self.namespace_for(caller, verb, namespace)
        if (job := await self._known(key)) is None:
            raise _absent(job_id)
        if isinstance(caller, Wallet) and not self._is_of(caller, job):
            raise _absent(job_id)
        return job

    async def namespace_for(self, caller: Caller, verb: str, namespace: str) -> None:
        """Raises Problem 403 where the caller may not do this with jobs there."""
        if isinstance(caller, Wallet):
            if namespace == self._settings.namespace:
                return
            raise Problem(
                403,
                f"a wallet's jobs are in namespace {self._settings.namespace!r}; leave the "
                "namespace out, or come with a bearer token",
                reason="Forbidden",
            )
        if not await self._may(caller, verb, "ComputeJob", namespace):
            raise Problem(
                403,
                f"{caller.username} may not {verb} computejobs in namespace {namespace!r}; ask "
                "the cluster's admin for a role that allows it",
                reason="Forbidden",
            )

    async def assets(self, caller: Caller) -> list[ModelAsset]:
        """Those that are published, and those still unpublished that are the caller's own."""
        return [asset for asset in self._access.assets() if await self._sees(caller, asset)]

    async def asset(self, caller: Caller, name: str) -> ModelAsset:
        """By `<namespace>.<name>` or DID. Raises NotFound."""
        for asset in self._access.assets():
            if name in (asset_id(asset), asset.status.did) and await self._sees(caller, asset):
                return asset
        raise NotFound(f"there is no asset {name!r} that you may see; /api/v1/assets lists them")

    async def _sees(self, caller: Caller, asset: ModelAsset) -> bool:
        if asset.status.did and asset.status.published_at:
            return True
        if isinstance(caller, Wallet):
            own_place = asset.metadata.namespace == self._settings.namespace
            return own_place and caller.owns(asset.spec.owner)
        return await self._may(caller, "list", "ModelAsset", asset.metadata.namespace)

    def _is_of(self, wallet: Wallet, job: ComputeJob) -> bool:
        """An owner's name on a job elsewhere proves nothing: others may write it there."""
        return job.metadata.namespace == self._settings.namespace and wallet.owns(job.spec.owner)

    async def _known(self, key: Key) -> ComputeJob | None:
        """Another replica may have made it a moment ago."""
        if key.namespace not in self._settings.namespaces:
            return None
        return self._access.seen_job(key) or await self._access.job(key)

    async def _may(self, person: Person, verb: str, kind: str, namespace: str) -> bool:
        return await self._rights.of(
            (person, verb, kind, namespace),
            lambda: self._access.may(person, verb, kind, namespace),
        )


def _absent(job_id: str) -> NotFound:
    return NotFound(f"you have no job {job_id!r}; /api/v1/jobs lists yours")
