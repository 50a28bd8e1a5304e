"""Crash exploration: a process that dies before or after its n-th effect on the world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

EFFECTS = frozenset(
    {
        *("create_anchor", "delete_anchor", "create_step", "delete_step", "create_asset"),
        *("delete_asset", "write_job", "write_asset", "write_environment", "set_finalizer"),
        *("put_private", "delete_private", "take_turn", "end_turn"),
        *("delete_job", "save_nonce_book", "save_order_claim", "emit"),
        *(
            "delete_prefix",
            "use_nonce",
            "create_secret",
            "create_job",
            "own_secret",
            "patch_job",
            "forget_nonce",
        ),
        "put",
    }
)


class Crash(BaseException):
    """Nobody catches it, as nobody catches SIGKILL."""


class Crashing:
    """A port whose `at`-th effect is the last one: done (`after`) or not."""

    def __init__(self, port: object, at: int, after: bool) -> None:
        self._port = port
        self._countdown = [at]
        self._after = after

    def beside(self, port: object) -> Crashing:
        """Another port of the same process: the effects of both are counted together."""
        other = Crashing(port, 0, self._after)
        other._countdown = self._countdown
        return other

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Awaitable[Any]] = getattr(self._port, name)
        return self._counted(method) if name in EFFECTS else method

    def _counted(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            self._countdown[0] -= 1
            if self._countdown[0] == 0 and not self._after:
                raise Crash
            result = await method(*args, **kwargs)
            if self._countdown[0] == 0:
                raise Crash
            return result

        return call
