"""May this program come near this model? Custody is inherited; pure.

What runs on an asset is what the environment's policy allows and every ancestor trusts, the asset
itself among them, for the service that the job needs. An ancestor's word is its first DDO, which
the environment's signer set before the NFT went to its owner; the DDO that stands now can take from
it, never add to it.

Code in a file makes any container a program of its own, so an algorithm asset is never trusted by
its container's digest: by its DID, with checksums, or by a publisher who made it and still owns it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from posthuman.api.asset import ModelAsset, ServiceKind
from posthuman.api.conditions import is_true
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, Container, JobInput
from posthuman.assets.services import ServiceFacts, Trust, service_needed
from posthuman.environments.program import program_digest
from posthuman.environments.verdict import Refusal, Verdict, Waiting

LEFT_TO_CHAIN = frozenset({"CustodyUnknown", "MetadataUnreadable"})


class AlgorithmFacts(msgspec.Struct, frozen=True, kw_only=True):
    """An algorithm asset as the chain has it now."""

    did: str
    creator: str
    owner: str
    files_checksum: str = ""  # empty: only its provider knows
    container_section_checksum: str = ""
    program: str = ""  # digest of the image's program, where no file of code comes beside it


class Custodian(msgspec.Struct, frozen=True, kw_only=True):
    """One asset of a line. `first`, `current`: what its DDOs sell; None: they can't be read."""

    did: str
    creator: str
    manifest_digest: str
    first: tuple[ServiceFacts, ...] | None = ()
    current: tuple[ServiceFacts, ...] | None = ()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An asset, and all that it was made from; or why that can't be told now."""

    custodians: tuple[Custodian, ...] = ()  # the asset itself first
    problem: Waiting | None = None


class Custody(msgspec.Struct, frozen=True, kw_only=True):
    """What a job's trust rests on: its inputs' lines by name, and its algorithm's asset."""

    lines: Mapping[str, Line] = {}
    algorithm: AlgorithmFacts | None = None


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What would run: a built-in, an image's program by digest, or an algorithm asset."""

    name: str  # as sentences call it
    builtin: bool = False
    digest: str = ""
    algorithm: AlgorithmFacts | None = None
    container_section_checksum: str = ""  # of the container that the job names


def review_custody(
    job: ComputeJob,
    environment: ComputeEnvironment,
    assets: Mapping[str, ModelAsset | None],
    custody: Custody,
) -> Verdict:
    """The first refusal; else the first reason to wait; else None."""
    held = [found for found in job.spec.inputs if assets.get(found.name)]
    if held and job.spec.algorithm.raw:
        return Refusal(
            "RawCodeRefused",
            f'raw code may not run on the asset of input "{held[0].name}"; publish it as an '
            "algorithm that the asset's owner trusts, or use a built-in",
        )
    if not held or environment.spec.chain is None:
        return None
    verdicts = [_input(job, environment, found, assets[found.name], custody) for found in held]
    refusals = [found for found in verdicts if isinstance(found, Refusal)]
    return next(iter([*refusals, *(found for found in verdicts if found)]), None)


def is_left_to_chain(verdict: Waiting, custody: Custody) -> bool:
    """Whether nothing in the cluster will wake a job that waits for this."""
    problems = [line.problem for line in custody.lines.values()]
    return verdict in problems or verdict.reason in LEFT_TO_CHAIN


def unread_trust(custody: Custody) -> Waiting | None:
    """Why it can't be told now which files are trusted."""
    problems = (line.problem for line in custody.lines.values())
    return next((problem for problem in problems if problem), None)


def trusted_files(job: ComputeJob, custody: Custody) -> str:
    """The filesChecksum that the files of the job's algorithm must have; empty: any may run."""
    return next(iter(_files_checksums(job, custody)), "")


def _input(
    job: ComputeJob,
    environment: ComputeEnvironment,
    found: JobInput,
    asset: ModelAsset | None,
    custody: Custody,
) -> Verdict:
    if asset is None or not is_true(asset.status.conditions, "Ready"):
        return None  # waited for elsewhere
    line = custody.lines.get(found.name)
    if line is None or line.problem or not line.custodians:
        return (line and line.problem) or Waiting(
            "CustodyUnknown", f'input "{found.name}": {asset.status.did} is not on chain yet'
        )
    say, signer = f'input "{found.name}": ', environment.status.signer
    program = program_of(job, custody.algorithm)
    return (
        _same_files(say, asset, line.custodians[0])
        or _known_publishers(say, line.custodians, signer)
        or _allowed(say, program, environment)
        or _trusted_by_all(say, service_needed(job, found), program, line.custodians, signer)
        or _one_set_of_files(say, job, custody)
    )


def _same_files(say: str, asset: ModelAsset, custodian: Custodian) -> Verdict:
    named, created = asset.spec.source.manifest_digest, custodian.manifest_digest
    if named == created:
        return None
    return Refusal(
        "AssetChanged",
        say + f"ModelAsset {asset.metadata.key} names the manifest {named}, and {custodian.did} "
        f"was created for {created}; use an asset that nobody changed",
    )


def _known_publishers(say: str, line: Sequence[Custodian], signer: str) -> Verdict:
    stranger = next((one for one in line if one.creator.lower() != signer.lower()), None)
    if stranger is None:
        return None
    return Refusal(
        "UnknownPublisher",
        say + f"{stranger.did} was put on chain by {stranger.creator}, not by this environment's "
        f"signer {signer or '(none)'}: what it says of trust isn't known to be its first owner's; "
        "use an asset that was published here",
    )


def _allowed(say: str, program: Program, environment: ComputeEnvironment) -> Verdict:
    """By the environment's own list, which an image's program was held against already."""
    algorithm = program.algorithm
    if algorithm is None or algorithm.did in environment.spec.policy.trusted_algorithms:
        return None
    return Refusal(
        "AlgorithmNotTrusted",
        say + f"this environment doesn't trust {algorithm.did}; ask its admin to add it to "
        "policy.trustedAlgorithms, or use a built-in",
    )


def _trusted_by_all(
    say: str, kind: ServiceKind, program: Program, line: Sequence[Custodian], signer: str
) -> Verdict:
    verdicts = (_trusted_by(say, kind, program, one, signer) for one in line)
    return next((verdict for verdict in verdicts if verdict), None)


def _trusted_by(
    say: str, kind: ServiceKind, program: Program, custodian: Custodian, signer: str
) -> Verdict:
    if custodian.first is None or custodian.current is None:
        return Waiting(
            "MetadataUnreadable",
            say + f"the metadata of {custodian.did} is encrypted, and its clear text is not here; "
            "its owner can set it in clear",
        )
    for services, since in ((custodian.first, ""), (custodian.current, " any more")):
        offered = next((found for found in services if found.kind is kind), None)
        if offered is None:
            return _not_offered(say, kind, custodian.did, services, since)
        if not _trusts(offered.trust, program, signer):
            return Refusal(
                "AlgorithmNotTrusted",
                say + f"{custodian.did} doesn't trust {program.name} for {kind}{since}; use a "
                "built-in, or a model whose line trusts it",
            )
    return None


def _not_offered(
    say: str, kind: ServiceKind, did: str, services: Iterable[ServiceFacts], since: str
) -> Refusal:
    kinds = ", ".join(found.kind for found in services if found.kind) or "nothing"
    return Refusal(
        "ServiceNotOffered",
        say + f"{did} doesn't offer {kind}{since}: it is for {kinds}; use another model",
    )


def _trusts(trust: Trust, program: Program, signer: str) -> bool:
    if program.builtin:
        return trust.anything or (trust.builtins and signer.lower() in trust.publishers)
    if program.algorithm is None:
        return bool(program.digest) and program.digest in trust.programs
    return _trusts_algorithm(trust, program, program.algorithm)


def _trusts_algorithm(trust: Trust, program: Program, found: AlgorithmFacts) -> bool:
    ran = program.container_section_checksum or found.container_section_checksum
    for named in trust.algorithms:
        if named.did == found.did and named.container_section_checksum in ("", ran):
            return True
    if ran != found.container_section_checksum:
        return False
    makers = {found.creator.lower(), found.owner.lower()}
    return trust.anything or makers <= trust.publishers


def program_of(job: ComputeJob, algorithm: AlgorithmFacts | None) -> Program:
    """What the job would run."""
    named = job.spec.algorithm
    if named.builtin:
        return Program(name=f"the built-in {named.builtin.name}", builtin=True)
    if named.image:
        digest = program_digest(named.image)
        return Program(name=f"program {digest or named.image.reference}", digest=digest)
    unknown = AlgorithmFacts(did=named.did, creator="", owner="")
    return Program(
        name=f"algorithm {named.did}",
        algorithm=algorithm or unknown,
        container_section_checksum=_section_checksum(named.container),
    )


def _section_checksum(container: Container | None) -> str:
    """Ocean's digest of what runs; empty where the algorithm's own container does."""
    if container is None or not container.image:
        return ""
    return hashlib.sha256((container.entrypoint + container.digest).encode()).hexdigest()


def _one_set_of_files(say: str, job: ComputeJob, custody: Custody) -> Verdict:
    if len(_files_checksums(job, custody)) < 2:
        return None
    return Refusal(
        "AlgorithmNotTrusted",
        say + f"its line trusts {job.spec.algorithm.did} with several sets of files, and only one "
        "can be there; use a built-in",
    )


def _files_checksums(job: ComputeJob, custody: Custody) -> list[str]:
    did = job.spec.algorithm.did
    named = {
        trusted.files_checksum.lower()
        for found in job.spec.inputs
        for one in (custody.lines.get(found.name) or Line()).custodians
        for service in (*(one.first or ()), *(one.current or ()))
        if service.kind is service_needed(job, found)
        for trusted in service.trust.algorithms
        if did and trusted.did == did
    }
    return sorted(named - {""})
