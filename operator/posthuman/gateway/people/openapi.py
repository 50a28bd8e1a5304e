"""/openapi.json and /docs: this API described, with a job's spec as the CRD has it.

The page is made here and needs nothing from elsewhere: no script, no font, no other host learns who
reads it.
"""

from __future__ import annotations

from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

import posthuman
from posthuman.api.schema import Schema, schema_of
from posthuman.api.schema_fields import PRESERVE
from posthuman.gateway.people.docs_page import docs_page
from posthuman.gateway.people.examples import NEW_JOBS

PUBLIC = frozenset(
    {"listEnvironments", "getEnvironment", "getHealth", "getReadiness", "getMetrics"}
)
FOREIGN = "x-kubernetes-"
DESCRIPTION = """\
Run AI jobs where the models live: make a job, follow it, fetch what it leaves.

**Who are you?** Either a person of the cluster, with a bearer token (`kubectl create token …`): you
may do what your own RBAC allows, in your own namespaces. Or the holder of a wallet: sign each
request, or a pass for reading (`personal_sign`, EIP-191); you are the owner of what you make, and
see nothing else. `posthuman.client` and the command `posthuman submit --gateway URL` do either.

**Errors** are problems (RFC 9457): `detail` is a sentence that says what is wrong and what to do,
`reason` one word for programs. 429 and 503 carry Retry-After.

**Lists** come in pages: ask again with `continue` until it is empty.
"""


def openapi_config() -> OpenAPIConfig:
    """For the application; the document itself is served by `openapi_json`."""
    return OpenAPIConfig(
        title="posthuman gateway",
        version=posthuman.__version__,
        description=DESCRIPTION,
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="A Kubernetes token, as of `kubectl create token`",
                ),
                "wallet": SecurityScheme(
                    type="apiKey",
                    name="Authorization",
                    security_scheme_in="header",
                    description=(
                        "`Wallet address=0x…,nonce=<time_ns>,signature=0x…` over the request, or "
                        "`Wallet address=0x…,until=<epoch seconds>,signature=0x…` for reading"
                    ),
                ),
            }
        ),
        security=[{"bearer": []}, {"wallet": []}],
        use_handler_docstrings=True,
        render_plugins=[JsonRenderPlugin()],
        path="/schema",
    )


@get("/openapi.json", include_in_schema=False)
async def openapi_json(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
    """The document."""
    return Response(document_of(request.app))


@get("/docs", include_in_schema=False)
async def docs(request: Request[Any, Any, Any]) -> Response[str]:
    """The same for people."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(
        docs_page(document_of(request.app)),
        media_type="text/html; charset=utf-8",
        headers={"Content-Security-Policy": policy},
    )


def document_of(app: Litestar) -> dict[str, Any]:
    """OpenAPI 3.1: what the handlers say of themselves, and a job's spec as the CRD has it."""
    document: dict[str, Any] = app.openapi_schema.to_schema()
    new_job = document["components"]["schemas"]["NewJob"]
    new_job["additionalProperties"] = False
    new_job["properties"]["spec"] = plain(schema_of("ComputeJob")["properties"]["spec"])
    for path in document["paths"].values():
        for operation in path.values():
            _complete(operation)
    return document


def _complete(operation: dict[str, Any]) -> None:
    """What Litestar can't be told: examples of a body, and who needs no name."""
    if operation["operationId"] in PUBLIC:
        operation["security"] = []
    if operation["operationId"] == "createJob":
        content = operation["requestBody"]["content"]["application/json"]
        content["schema"] = {"$ref": "#/components/schemas/NewJob"}
        content["examples"] = {
            f"example{number}": {"summary": one.summary, "value": one.value}
            for number, one in enumerate(NEW_JOBS)
        }


def plain(schema: Schema) -> dict[str, Any]:
    """A CRD's schema in JSON Schema's words: without Kubernetes' own keywords, and an object with
    named fields has no others."""
    kept = {name: _plain(value) for name, value in schema.items() if not name.startswith(FOREIGN)}
    if "properties" in kept and not schema.get(PRESERVE):
        kept.setdefault("additionalProperties", False)
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return plain(value) if isinstance(value, dict) else value
