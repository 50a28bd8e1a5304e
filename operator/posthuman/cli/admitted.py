"""Documents as a cluster would admit them, and what this machine can't do with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from posthuman.api.job import ComputeJob
from posthuman.cli.ending import REFUSED, SUCCEEDED, complain
from posthuman.environments.builtins import review_builtin
from posthuman.environments.catalogue import read_catalogue
from posthuman.errors import UserError
from posthuman.local.apply import apply_document
from posthuman.local.documents import Document, read_documents
from posthuman.local.objects import Objects
from posthuman.local.programs import NO_IMAGES
from posthuman.local.session import algorithms_folder


def validate_manifest(manifest: Path) -> int:
    """`posthuman validate`: one line for each object, or each refusal. Built-ins are held against
    those installed here. Raises UserError."""
    objects = admitted(read_documents(manifest))
    if objects is None:
        return REFUSED
    catalogue = read_catalogue(algorithms_folder())
    reviewed = ((job, review_builtin(job, catalogue)) for job in objects.all(ComputeJob))
    refusals = [(job, refusal) for job, refusal in reviewed if refusal]
    for job, refusal in refusals:
        complain(f"{job.metadata.key}: {refusal.message}")
    if refusals:
        return REFUSED
    for kind, key in objects.all_keys():
        print(f"ok: {kind} {key}")
    return SUCCEEDED


def admitted(documents: Sequence[Document]) -> Objects | None:
    """Every document applied, or None once every refusal has been said."""
    objects, refused = Objects(), False
    for document in documents:
        try:
            apply_document(objects, document)
        except UserError as error:
            complain(f"{document.place}: {error}")
            refused = True
    for job in objects.all(ComputeJob):
        if job.spec.algorithm.image:
            complain(f"{job.metadata.key}: {NO_IMAGES}")
            refused = True
    return None if refused else objects
