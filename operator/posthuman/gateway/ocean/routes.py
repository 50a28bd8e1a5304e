"""Ocean's routes: each takes its arguments, asks who signed them, and answers."""

from __future__ import annotations

from litestar import Response, Router, get

import posthuman
from posthuman.gateway.service import Injected

SOFTWARE = "Operator service"


@get("/")
async def root(gateway: Injected) -> Response[dict[str, object]]:
    """Who answers here; upstream's first four fields."""
    return Response({"software": SOFTWARE, "version": posthuman.__version__})


ocean_router = Router(path="/", route_handlers=[root])
