"""`python -m tests.story`: the whole story on the cluster of `make cluster`, installed by Helm."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Callable

from rich.console import Console

from posthuman.cli.story import cast
from posthuman.cli.story.epilogue import shown
from posthuman.cli.story.prepare import prepare
from posthuman.cli.story.script import SMOLLM2, TINY
from posthuman.cli.watch import duration
from posthuman.errors import PosthumanError
from tests.cluster.errors import ClusterError
from tests.cluster.kubectl import kubectl
from tests.cluster.layout import REPOSITORY
from tests.story import bodies, installation, services, stage
from tests.story.mirror import told
from tests.story.recorder import Event, Recorder
from tests.story.telling import StoryFailed, Telling

FOLDER = REPOSITORY / ".run" / "story"
PEOPLE = tuple(person.namespace for person in cast.CAST)
WATCHED = ("computejobs.compute.posthuman.network", "modelassets.compute.posthuman.network")
WHERE = (
    "Everything stays on the cluster: `kubectl get computejobs -A`, `kubectl describe computejob "
    "-n bob bob-trains`. Models, results and logs are in its S3 server ({s3}, bucket posthuman), "
    "publications on its chain ({rpc}), uploads and plot in {folder}. `python -m tests.story "
    "--clear` takes it all away.\nEach worker was sealed: it had no network at all. Each job named "
    "its order on chain, and none would have run without. The OCEAN and the keys (anvil's "
    "well-known ones) are this chain's: worth nothing elsewhere."
)


def main() -> int:
    """Exit code 0 if the story came to its end."""
    options = _options()
    console = Console(stderr=True, highlight=False)
    try:
        if options.clear:
            installation.clear(PEOPLE)
            services.stop()
            return 0
        _tell(options, console)
    except (ClusterError, PosthumanError, StoryFailed) as error:
        console.print(f"error: {error}", style="red", markup=False)
        return 1
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.story", description=__doc__)
    parser.add_argument("--model", choices=("smollm2", "tiny"), default="smollm2")
    parser.add_argument("--steps", type=int, help="of each training; default, what the model needs")
    parser.add_argument("--clear", action="store_true", help="take everything away again")
    return parser.parse_args()


def _tell(options: argparse.Namespace, console: Console) -> None:
    began, pace = time.monotonic(), SMOLLM2 if options.model == "smollm2" else TINY
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    console.print("starting an S3 server and a chain in the cluster, with Ocean's contracts (15 s)")
    started = services.start()
    console.print("helm install posthuman charts/posthuman-operator (20 s)")
    installation.install(PEOPLE)
    console.print(f"making {pace.model_name} and the text (40 s the first time, then 5 s)")
    data = asyncio.run(prepare(pace, FOLDER))
    _open_environment(started, console)
    console.print("everybody brings what is theirs by `posthuman upload` (10 s)")
    uploads = asyncio.run(stage.bring(data, started, FOLDER))
    console.print("kubectl apply of Alice's asset; then each buys, and applies a job")
    with Recorder(*WATCHED, "events", on_event=_say(console)) as recorder:
        telling = Telling(started, recorder, pace, FOLDER)
        steps = options.steps or pace.steps
        epilogue = asyncio.run(telling.tell(uploads, steps, console))
    where = WHERE.format(s3=started.s3_endpoint, rpc=started.rpc_url, folder=FOLDER)
    Console(highlight=False).print(shown(epilogue, where))
    _show_kubectl()
    console.print(f"told in {duration(time.monotonic() - began)}")


def _open_environment(started: services.Services, console: Console) -> None:
    console.print("Alice opens her environment `lab`")
    kubectl("apply", "-f", "-", stdin=bodies.as_text(*bodies.secrets()))
    kubectl("apply", "-f", "-", stdin=bodies.as_text(stage.environment_body(started)))
    kubectl("wait", "computeenvironment", cast.ENVIRONMENT, "--for=condition=Ready",
            "--timeout=60s")  # fmt: skip


def _say(console: Console) -> Callable[[Event], None]:
    """Where there is no live table, one line for each event."""

    def say(event: Event) -> None:
        line = told(event)
        if line and line.key.namespace in PEOPLE and not console.is_terminal:
            said = f"{line.key}: {line.reason}: {line.message}"
            console.print(said, markup=False, soft_wrap=True)

    return say


def _show_kubectl() -> None:
    print("\n$ kubectl get computejobs -A")
    print(kubectl("get", "computejobs", "-A"))
    print("$ kubectl describe computejob -n bob bob-trains | sed -n '/^Events/,$p'")
    described = kubectl("describe", "computejob", "-n", "bob", "bob-trains")
    print(described[described.index("Events:") :])


if __name__ == "__main__":
    sys.exit(main())
