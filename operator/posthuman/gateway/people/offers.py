"""/api/v1/environments and /api/v1/assets: where jobs can run, and on what."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.params import PathParameter, QueryParameter

from posthuman.api.environment import ComputeEnvironment
from posthuman.errors import NotFound
from posthuman.gateway.people.documented import Continue, Limit, refusals
from posthuman.gateway.people.offer_view import (
    AssetPage,
    AssetView,
    EnvironmentPage,
    EnvironmentView,
    asset_id,
    asset_view,
    environment_view,
)
from posthuman.gateway.people.pages import DEFAULT_LIMIT, page_of
from posthuman.gateway.people.service import Asking, Injected


@get("/environments", operation_id="listEnvironments", tags=["offers"], responses=refusals())
async def list_environments(
    people: Injected, limit: Limit = DEFAULT_LIMIT, continue_: Continue = ""
) -> EnvironmentPage:
    """Where jobs can run, and whether there is room. Open to everybody."""
    found = people.gateway.access.environments()
    items, more = page_of(found, lambda one: (one.metadata.name, ""), limit, continue_)
    return EnvironmentPage(items=[environment_view(one) for one in items], continue_=more)


@get(
    "/environments/{environment:str}",
    operation_id="getEnvironment",
    tags=["offers"],
    responses=refusals(404),
)
async def get_environment(
    people: Injected, environment: Annotated[str, PathParameter(description="Its name")]
) -> EnvironmentView:
    """One of them."""
    return environment_view(_named(people, environment))


@get("/assets", operation_id="listAssets", tags=["offers"], responses=refusals(401))
async def list_assets(
    people: Injected,
    visitor: Asking,
    limit: Limit = DEFAULT_LIMIT,
    continue_: Continue = "",
    environment: Annotated[str, QueryParameter(description="Name of one")] = "",
    owner: Annotated[str, QueryParameter(description="Address of one")] = "",
) -> AssetPage:
    """Published models, and your own that aren't published yet; newest first."""
    found = [
        asset
        for asset in await people.access.assets(visitor.caller)
        if environment in ("", asset.spec.environment_ref.name)
        and owner.lower() in ("", asset.spec.owner.lower())
    ]
    items, more = page_of(
        found,
        lambda one: (one.metadata.creation_timestamp, asset_id(one)),
        limit,
        continue_,
        newest_first=True,
    )
    return AssetPage(items=[asset_view(one) for one in items], continue_=more)


@get("/assets/{asset:str}", operation_id="getAsset", tags=["offers"], responses=refusals(401, 404))
async def get_asset(
    people: Injected,
    visitor: Asking,
    asset: Annotated[str, PathParameter(description="Its `id`, or its DID")],
) -> AssetView:
    """One of them."""
    return asset_view(await people.access.asset(visitor.caller, asset))


def _named(people: Injected, name: str) -> ComputeEnvironment:
    for environment in people.gateway.access.environments():
        if environment.metadata.name == name:
            return environment
    raise NotFound(f"there is no environment {name!r}; /api/v1/environments lists them")
