"""What a replica does beside answering: expired nonces are forgotten, and with them the secrets of
requests that broke off; those of a request whose job was made are first given to the job."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from litestar import Litestar

from posthuman.api.job import ComputeJob
from posthuman.api.meta import GROUP, Key
from posthuman.errors import PosthumanError
from posthuman.gateway.service import Gateway

logger = logging.getLogger(__name__)

TEND_SECONDS = 60.0
ANNOTATION_NONCE = f"{GROUP}/nonce"  # digest of the nonce that a job was asked for with


async def tend(gateway: Gateway) -> None:
    """One round. Any replica may do it, and several at once."""
    now = gateway.clock.now().timestamp()
    for digest in await gateway.access.expired_nonces(now):
        await _settle(gateway, digest)
        await gateway.access.forget_nonce(digest)


async def _settle(gateway: Gateway, nonce_digest: str) -> None:
    for job in gateway.access.jobs():
        if job.metadata.annotations.get(ANNOTATION_NONCE) == nonce_digest:
            for key in secrets_of(job):
                await gateway.access.own_secret(key, job)


def secrets_of(job: ComputeJob) -> list[Key]:
    """The Secrets that a job names, once each."""
    algorithm = job.spec.algorithm
    references = [
        algorithm.user_data_secret_ref,
        algorithm.raw.secret_ref if algorithm.raw else None,
        *(ref for one in job.spec.inputs for ref in (one.uri_secret_ref, one.user_data_secret_ref)),
    ]
    names = dict.fromkeys(found.name for found in references if found)
    return [Key(job.metadata.namespace, name) for name in names]


def tending(gateway: Gateway) -> Callable[[Litestar], AbstractAsyncContextManager[None]]:
    """A lifespan that tends while the application serves."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(_forever(gateway), name="tending")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    return lifespan


async def _forever(gateway: Gateway) -> None:
    while True:
        await asyncio.sleep(TEND_SECONDS)
        try:
            await tend(gateway)
        except PosthumanError as error:
            logger.warning("expired nonces aren't forgotten yet: %s", error)
