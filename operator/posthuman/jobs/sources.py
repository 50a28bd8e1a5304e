"""What a job's stage step is told and given of things that come from elsewhere. Pure.

The plan names files; what is in them (signed URLs, user data, code, proofs for the provider) comes
from Secrets and goes to the stage step alone (jobs/private.py).
"""

from __future__ import annotations

import shlex

import msgspec

from jobkit.plan import Bought, StageAlgorithm, StageInput
from posthuman.api.environment import ComputeEnvironment
from posthuman.api.job import ComputeJob, JobInput
from posthuman.api.meta import SecretKeyRef
from posthuman.assets.trust import trusted_files
from posthuman.environments.bought import (
    ALGORITHM,
    Named,
    bought,
    is_in_image,
    own_inputs,
    service_of,
)
from posthuman.jobs.observed import Observed
from posthuman.jobs.steps import PrivateFile

DID_PREFIX = "did:op:"
CODE_PATH = "/data/transformations/algorithm"
ALGO = "$ALGO"  # what an entrypoint calls it
CODE_FILE = "algorithm-code"
SHELL_SYNTAX = frozenset("|&;<>()`$*?~#\n")  # outside of quotes: more than words


def brings_code(job: ComputeJob) -> bool:
    """Whether the algorithm comes as a file."""
    return bool(job.spec.algorithm.did or job.spec.algorithm.raw)


def short(did: str) -> str:
    """As Ocean names folders, and as `DIDS` names assets to an algorithm of Ocean's."""
    return did.removeprefix(DID_PREFIX)


def input_folder(found: JobInput, job: ComputeJob) -> str:
    """Below /data/inputs: the DID of what an algorithm of Ocean's bought, else the name."""
    elsewhere = found.did and found.name not in own_inputs(job)
    return short(found.did) if elsewhere and is_oceans(job) else found.name


def is_oceans(job: ComputeJob) -> bool:
    """Any algorithm but a built-in finds its files where Ocean's algorithms do."""
    return job.spec.algorithm.builtin is None


def named_elsewhere(job: ComputeJob) -> list[Named]:
    """What comes through the provider, of an accepted job."""
    return list(bought(job, own_inputs(job)))


def downloads(seen: Observed) -> list[Named]:
    """Those whose files the stage step brings: an algorithm may lie in its image. Where an owner
    trusts files, files are what it must bring, whatever its DDO says by now."""
    return [one for one in named_elsewhere(seen.job) if not _is_in_image(one, seen)]


def _is_in_image(named: Named, seen: Observed) -> bool:
    if named.input != ALGORITHM or trusted_files(seen.job, seen.custody):
        return False
    return is_in_image(seen.ddos.get(named.did, {}))


def private_files(job: ComputeJob) -> tuple[PrivateFile, ...]:
    """Every Secret that the job names for its stage step."""
    found = [
        _file(f"{_uri_file(one)}", one.uri_secret_ref)
        for one in job.spec.inputs
        if one.uri_secret_ref
    ]
    found += [
        _file(_user_data_file(one), one.user_data) for one in named_elsewhere(job) if one.user_data
    ]
    raw = job.spec.algorithm.raw
    if raw and raw.secret_ref:
        found.append(_file(CODE_FILE, raw.secret_ref))
    return tuple(found)


def pull_secret(job: ComputeJob) -> str:
    """Of the job's namespace, for its own container's image."""
    container = job.spec.algorithm.container
    return container.pull_secret_ref.name if container and container.pull_secret_ref else ""


def with_source(staged: StageInput, found: JobInput, seen: Observed) -> StageInput:
    """The input as the stage step is told of it, if it comes from a Secret's URI or a provider."""
    job = seen.job
    named = next((one for one in named_elsewhere(job) if one.input == found.name), None)
    return msgspec.structs.replace(
        staged,
        uri_file=_uri_file(found) if found.uri_secret_ref else "",
        bought=_bought(named, seen) if named else None,
        folder=input_folder(found, job),
        numbered=is_oceans(job),
    )


def stage_algorithm(seen: Observed) -> StageAlgorithm | None:
    """The code that the stage step brings; None where it is in the image."""
    algorithm = seen.job.spec.algorithm
    if algorithm.raw:
        code = CODE_FILE if algorithm.raw.secret_ref else ""
        return StageAlgorithm(code_file=code, uri=algorithm.raw.uri)
    named = next((one for one in downloads(seen) if one.input == ALGORITHM), None)
    if named is None:
        return None
    return StageAlgorithm(
        did=named.did,
        bought=_bought(named, seen),
        files_checksum=trusted_files(seen.job, seen.custody),
    )


def words_of(entrypoint: str) -> tuple[str, ...]:
    """An entrypoint's words, the code's path in place of $ALGO. What is more than words is a
    shell's to run, as Ocean's engine has a shell run every entrypoint; it finds $ALGO among the
    variables."""
    plain = entrypoint.replace(ALGO, CODE_PATH)
    try:
        words = shlex.split(plain)
    except ValueError:
        words = []
    if not words or _is_more_than_words(plain):
        return ("/bin/sh", "-c", entrypoint)
    return tuple(words)


def _is_more_than_words(line: str) -> bool:
    """Shell syntax that isn't quoted; what is in double quotes may hold `$` and "`" too."""
    quote = ""
    for character in line:
        if quote:
            quote = "" if character == quote else quote
            if quote == '"' and character in "$`":
                return True
        elif character in "'\"":
            quote = character
        elif character in SHELL_SYNTAX:
            return True
    return False


def provider_url(environment: ComputeEnvironment) -> str:
    """Empty where it has none."""
    return environment.spec.chain.provider_url if environment.spec.chain else ""


def _bought(named: Named, seen: Observed) -> Bought | None:
    """None where its DDO is gone: the step isn't made then (jobs/staging.py)."""
    environment, ddo = seen.environment, seen.ddos.get(named.did)
    service = service_of(named, ddo) if ddo else None
    if environment is None or service is None:
        return None
    return Bought(
        url=provider_url(environment),
        did=named.did,
        service_id=service.id,
        tx_id=named.order.tx_id if named.order else "",
        user_data_file=_user_data_file(named) if named.user_data else "",
    )


def _file(name: str, ref: SecretKeyRef | None) -> PrivateFile:
    assert ref is not None
    return PrivateFile(file=name, secret=ref.name, key=ref.key)


def _uri_file(found: JobInput) -> str:
    return f"input-{found.name}-uri"


def _user_data_file(named: Named) -> str:
    return f"input-{named.input}-user-data" if named.input else "algorithm-user-data"
