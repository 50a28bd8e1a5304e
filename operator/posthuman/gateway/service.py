"""What every route works with: the ports, the clock, the settings, and what may be forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.di import NamedDependency

from posthuman.gateway.manifests import ResultLists
from posthuman.gateway.metrics import GatewayMetrics
from posthuman.gateway.nonces import Nonces
from posthuman.gateway.ports import FilesOf, JobAccess
from posthuman.gateway.rates import Buckets
from posthuman.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from posthuman.ports import Clock


class Gateway:
    """One replica. All it keeps may be lost: it is read again, or refused and asked anew."""

    def __init__(
        self,
        access: JobAccess,
        files_of: FilesOf,
        clock: Clock,
        settings: GatewaySettings,
        metrics: GatewayMetrics | None = None,
    ) -> None:
        self.access = access
        self.files_of = files_of
        self.clock = clock
        self.settings = settings
        self.metrics = metrics or GatewayMetrics()
        self.nonces = Nonces(access, clock, settings.limits.nonce_seconds)
        self.result_lists = ResultLists(files_of)
        limits = settings.limits
        self.owners = Buckets(limits.requests_per_second, limits.requests_at_once)


Injected = NamedDependency[Gateway]
"""What a handler declares: `gateway: Injected`."""
