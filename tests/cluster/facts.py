"""`.run/cluster/env`: what tests and people need to know of the cluster, as KEY=VALUE lines."""

from tests.cluster.layout import ENV_FILE


def read() -> dict[str, str]:
    """The facts on record; none where no cluster is up."""
    if not ENV_FILE.exists():
        return {}
    pairs = (line.partition("=") for line in ENV_FILE.read_text().splitlines())
    return {key: value for key, _, value in pairs}


def record(**facts: object) -> None:
    """Add or replace facts, whole file at a time, so that a reader never sees half of one."""
    merged = {**read(), **{key: str(value) for key, value in facts.items()}}
    lines = [f"{key}={value}\n" for key, value in sorted(merged.items())]
    ENV_FILE.parent.mkdir(parents=True, exist_ok=True)
    draft = ENV_FILE.with_suffix(".draft")
    draft.write_text("".join(lines))
    draft.rename(ENV_FILE)
