"""The Secrets of a step: read by name, copied when the step is made, gone when it has ended.

Who signs at a provider: the operator. Where the provider gives tokens (createAuthToken), the stage
step gets one and takes its own nonces; so several steps may download at once, and one that others
overtake just takes a higher nonce. Where it gives none, the step gets signatures that were made for
it, each over one asset and one nonce; as the provider refuses a nonce below the last it saw of an
address, only one job of an environment downloads at a time then. Either way the consumer's key, for
which every purchase of the environment was made, never leaves the operator; and what a step holds
is worth nothing on chain.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping

import msgspec

from jobkit.provider_access import ACCESS_FILE
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob
from posthuman.api.meta import Key
from posthuman.chain_ports import Provider
from posthuman.errors import TransientError, UserError
from posthuman.jobs.sources import pull_secret
from posthuman.jobs.steps import (
    Anchor,
    Private,
    PrivateFile,
    Role,
    Step,
    private_name,
    pull_name,
)
from posthuman.ports import Cluster

ProviderOf = Callable[[ComputeEnvironment], Awaitable[Provider]]
DOCKER_CONFIG = ".dockerconfigjson"
MAX_NAME = 200  # characters of an environment's name in a turn's


class PrivateParts:
    """Makes and drops what a step alone is given."""

    def __init__(self, cluster: Cluster, provider_of: ProviderOf) -> None:
        self._cluster, self._provider_of = cluster, provider_of

    async def check(self, job: ComputeJob, steps: Iterable[Step]) -> None:
        """Before anything is made: every Secret is there and may be read, the one that pulls the
        run's image too. Raises NotFound, SecretForbidden, UserError."""
        for step in steps:
            if step.role is Role.EXPORT:
                continue  # what it needs is here
            wanted = msgspec.structs.replace(step, pull_secret=pull_secret(job))
            await self._files(job.metadata.key, wanted)

    async def make(self, anchor: Anchor, step: Step) -> None:
        """All that the step is given. Raises what `check` does, and TransientError while another
        job downloads."""
        files = await self._files(anchor.job, step)
        if step.pull_secret:
            pulled = {DOCKER_CONFIG: files.pop(DOCKER_CONFIG)}
            private = Private(name=pull_name(step.name), content=pulled, pulls=True)
            await self._cluster.put_private(anchor, private)
        if step.bought:
            files[ACCESS_FILE] = await self._access(anchor, step)
        if step.has_private:
            private = Private(name=private_name(step.name), content=files)
            await self._cluster.put_private(anchor, private)

    async def drop(self, anchor: Anchor, step_name: str, environment: ComputeEnvironment) -> None:
        """The step has ended."""
        await self._cluster.delete_private(anchor.namespace, private_name(step_name))
        await self._cluster.end_turn(anchor, turn_of(environment))

    async def _files(self, job: Key, step: Step) -> dict[str, bytes]:
        """By their names in the step's private folder."""
        files = {one.file: await self._value(job, one) for one in step.private}
        if step.pull_secret:
            wanted = PrivateFile(file=DOCKER_CONFIG, secret=step.pull_secret, key=DOCKER_CONFIG)
            files[DOCKER_CONFIG] = await self._value(job, wanted)
        return files

    async def _value(self, job: Key, wanted: PrivateFile) -> bytes:
        secret = await self._cluster.job_secret(job, wanted.secret)
        return value_of(secret, str(Key(job.namespace, wanted.secret)), wanted.key)

    async def _access(self, anchor: Anchor, step: Step) -> bytes:
        provider = await self._provider_of(step.environment)
        access = await provider.token()
        if access is None:
            if not await self._cluster.take_turn(anchor, turn_of(step.environment)):
                raise TransientError(
                    "another job of the environment downloads from the provider, which has no "
                    "tokens: one at a time",
                    "DownloadTurn",
                )
            access = await provider.tickets(step.bought)
        return msgspec.json.encode(access)


def turn_of(environment: ComputeEnvironment) -> str:
    """What the job that downloads holds."""
    return f"downloads-{environment.metadata.name[:MAX_NAME]}"


def value_of(secret: Mapping[str, bytes], place: str, key: str) -> bytes:
    """The named key's value; without a name, the value of the Secret's only key. Raises
    UserError."""
    if key in secret:
        return secret[key]
    if not key and len(secret) == 1:
        return next(iter(secret.values()))
    raise UserError(
        f"Secret {place} has "
        + (f'no key "{key}"' if key else "several keys; say which")
        + f" (it has: {', '.join(sorted(secret)) or 'none'})",
        "SecretKeyMissing",
    )
