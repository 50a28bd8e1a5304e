"""Code of a buyer's own, and the container that it brings: may it run here? Pure.

That raw code never comes near a model of somebody's is a matter of custody (assets/trust.py).
"""

from __future__ import annotations

from posthuman.api.job import JobInput
from posthuman.environments.bought import review_bought, review_container_section
from posthuman.environments.images import begins_with
from posthuman.environments.input_policy import review_uri
from posthuman.environments.request import Request
from posthuman.environments.verdict import Refusal, Verdict


def review_sources(request: Request) -> Verdict:
    """The first refusal; else the first reason to wait; else None."""
    rules = (_raw, _raw_uri, _container, review_container_section, review_bought)
    return next((verdict for rule in rules if (verdict := rule(request)) is not None), None)


def _raw(request: Request) -> Verdict:
    if request.job.spec.algorithm.raw is None or request.environment.spec.policy.allow_raw_code:
        return None
    return Refusal(
        "RawCodeRefused",
        "this environment runs no raw code (policy.allowRawCode); publish it as an algorithm, or "
        "use a built-in",
    )


def _raw_uri(request: Request) -> Verdict:
    """As an input's is."""
    raw = request.job.spec.algorithm.raw
    if raw is None or not raw.uri:
        return None
    return review_uri(request, JobInput(name="algorithm", uri=raw.uri))


def _container(request: Request) -> Verdict:
    """On a laptop the code runs without its image, so any image will do."""
    container = request.job.spec.algorithm.container
    if container is None:
        return None
    if not container.entrypoint.strip():
        return Refusal(
            "NoEntrypoint",
            "container.entrypoint says how the code is run; write one, like `python3 $ALGO`",
        )
    prefixes = request.environment.spec.policy.allowed_images
    allowed = any(begins_with(container.image, prefix) for prefix in prefixes)
    if allowed or request.allow_files:
        return None
    return Refusal(
        "ImageNotAllowed",
        f'image "{container.image}" is not in the environment\'s policy.allowedImages '
        f"({', '.join(prefixes) or 'none'}); use one of those, or a built-in",
    )
