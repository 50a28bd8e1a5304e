"""The commands and their options; what they do is in the module of the same name."""

from __future__ import annotations

import signal
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from posthuman.cli.algorithm.commands import app as algorithm_app
from posthuman.cli.ending import end_as_by_ctrl_c, end_with
from posthuman.cli.evidence_commands import add_evidence_commands
from posthuman.cli.gateway import gateway
from posthuman.cli.options import (
    DEFAULT_WORKDIR,
    AnyEnvironment,
    ContextOption,
    Output,
    OutputOption,
    Panel,
    RpcOption,
    Workdir,
)
from posthuman.cli.remote.commands import register as register_remote
from posthuman.errors import UserError

app = typer.Typer(
    help="AI jobs where the models live: try one on this machine, bring and publish models, buy "
    "access, follow jobs at a gateway. New here: docs/quickstart.md, or `posthuman demo`.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(algorithm_app, name="algorithm", rich_help_panel=Panel.MACHINE)

INSTALLED_ALGORITHMS = Path("/opt/posthuman/algorithms")  # in the operator's image


class DemoModel(StrEnum):
    """What the demo trains."""

    SMOLLM2 = "smollm2"
    TINY = "tiny"


class UploadKind(StrEnum):
    """What an upload is."""

    MODEL = "model"
    DATASET = "dataset"
    FILE = "file"


Manifest = Annotated[Path, typer.Argument(help="A YAML file with one or more documents.")]


def main() -> None:
    """The program `posthuman`."""
    end_as_by_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    app(prog_name="posthuman")


@app.command(rich_help_panel=Panel.MACHINE)
def run(
    manifest: Manifest,
    environment: Annotated[
        Path | None,
        typer.Option("--environment", help="ComputeEnvironment (and Secrets) to run in."),
    ] = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    algorithms: Annotated[
        Path | None,
        typer.Option("--algorithms", help="A folder of algorithms, instead of the built-in ones."),
    ] = None,
    output: OutputOption = Output.TEXT,
) -> None:
    """Run a job on this machine, as a cluster would: same checks, same steps, no seal."""
    from posthuman.cli.run import run_manifest

    end_with(
        lambda: run_manifest(manifest, environment, workdir, output is Output.JSON, algorithms)
    )


@app.command(rich_help_panel=Panel.MACHINE)
def validate(manifest: Manifest) -> None:
    """Check a manifest as a cluster's API server would, and run nothing."""
    from posthuman.cli.admitted import validate_manifest

    end_with(lambda: validate_manifest(manifest))


@app.command(rich_help_panel=Panel.MODELS)
def upload(
    path: Annotated[Path, typer.Argument(help="A file or a folder.")],
    owner: Annotated[str, typer.Option("--owner", help="Your address: 0x and 40 hex digits.")],
    environment: Annotated[
        Path | None,
        typer.Option("--environment", help="ComputeEnvironment (and Secrets) to bring it to."),
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Default: the file's own.")] = "",
    kind: Annotated[UploadKind, typer.Option("--kind", help="What it is.")] = UploadKind.DATASET,
    workdir: Workdir = DEFAULT_WORKDIR,
    output: OutputOption = Output.TEXT,
) -> None:
    """Bring your own data or model into an environment's store; prints what to write then."""
    from posthuman.cli.upload import target_of, upload_path

    end_with(
        lambda: upload_path(
            path,
            target_of(environment, workdir),
            owner,
            name,
            kind.value,
            output is Output.JSON,
        )
    )


@app.command(rich_help_panel=Panel.MODELS)
def publish(
    folder: Annotated[
        Path | None, typer.Argument(help="A model's folder: config.json, safetensors.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Title that buyers read.")] = "",
    job: Annotated[
        str,
        typer.Option("--job", help="Instead of a folder: a job whose publication was given up."),
    ] = "",
    context: ContextOption = "",
    description: Annotated[
        str, typer.Option("--description", help="Default: type and size of the model.")
    ] = "",
    license_: Annotated[str, typer.Option("--license", help="Name or URL of its licence.")] = "",
    owner: Annotated[
        str, typer.Option("--owner", help="Whose it becomes; default: the local chain's signer.")
    ] = "",
    price: Annotated[
        str, typer.Option("--price", help="What a datatoken costs, in whole tokens of --token.")
    ] = "",
    token: Annotated[str, typer.Option("--token", help="Address of the token to pay with.")] = "",
    free: Annotated[bool, typer.Option("--free", help="Give datatokens away.")] = False,
    namespace: Annotated[str, typer.Option("--namespace", help="Of the ModelAsset.")] = "default",
    environment: Annotated[
        Path | None,
        typer.Option("--environment", help="ComputeEnvironment and Secrets: its store and chain."),
    ] = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    output: OutputOption = Output.TEXT,
) -> None:
    """Publish a model that you have: upload, NFT, datatoken, DDO; once, however often it is run.

    With --job: have the operator take up the publication of a job's model again.
    """
    from posthuman.cli.offer import Offer, pricing_of
    from posthuman.cli.publish import Site, publish_model
    from posthuman.cli.publish_again import publish_job_again

    def command() -> int:
        if job and folder is None and not name:
            return publish_job_again(namespace, job, context, output is Output.JSON)
        if job or folder is None or not name:
            raise UserError("name a model's folder and a --name, or a --job and nothing else")
        offer = Offer(
            name=name,
            description=description,
            license=license_,
            owner=owner,
            namespace=namespace,
            pricing=pricing_of(price, token, free),
        )
        site = Site(environment=environment, workdir=workdir)
        return publish_model(folder, offer, site, output is Output.JSON)

    end_with(command)


def operator(
    namespace: Annotated[str, typer.Option(help="The operator's own, for leases and nonces.")],
    jobkit_image: Annotated[str, typer.Option(help="What stages, seals and exports.")],
    algorithms_image: Annotated[str, typer.Option(help="What runs the built-in algorithms.")],
    algorithms: Annotated[
        Path, typer.Option(help="The folder of built-in algorithms.")
    ] = INSTALLED_ALGORITHMS,
    kubeconfig: Annotated[
        str, typer.Option(help="Outside a cluster; in a pod its service account is used.")
    ] = "",
    port: Annotated[int, typer.Option(help="Of /healthz, /readyz and /metrics.")] = 8080,
) -> None:
    """Run the operator of a cluster, as the Helm chart does."""
    from posthuman.cli.operator import run_operator
    from posthuman.controller import OperatorSettings

    settings = OperatorSettings(
        operator_namespace=namespace,
        jobkit_image=jobkit_image,
        algorithms_image=algorithms_image,
        algorithms=algorithms,
        kubeconfig=kubeconfig,
        port=port,
    )
    end_with(lambda: run_operator(settings))


@app.command(rich_help_panel=Panel.MODELS)
def buy(
    did: Annotated[str, typer.Argument(help="did:op: and 64 hex digits.")],
    service: Annotated[
        str, typer.Option("--service", help="train, infer or evaluate; an id of the DDO.")
    ],
    consumer: Annotated[
        str, typer.Option("--consumer", help="Who may use it; default: you, who pay.")
    ] = "",
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="Your key; default: $POSTHUMAN_PRIVATE_KEY."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Pay without being asked again.")] = False,
    rpc: RpcOption = "",
    environment: AnyEnvironment = None,
    context: ContextOption = "",
    workdir: Workdir = DEFAULT_WORKDIR,
    output: OutputOption = Output.TEXT,
) -> None:
    """Order a service of an asset with your own key; says first what it costs."""
    from posthuman.cli.buy import Wish, buy_service
    from posthuman.cli.chain_place import ChainPlace

    wish = Wish(did=did, service=service, consumer=consumer)
    place = ChainPlace(workdir=workdir, rpc_url=rpc, environment=environment, context=context)
    end_with(lambda: buy_service(wish, place, key_file, yes, output is Output.JSON))


@app.command(rich_help_panel=Panel.MODELS)
def earnings(
    subject: Annotated[str, typer.Argument(help="A DID, or an address.")],
    rpc: RpcOption = "",
    environment: AnyEnvironment = None,
    context: ContextOption = "",
    workdir: Workdir = DEFAULT_WORKDIR,
    output: OutputOption = Output.TEXT,
) -> None:
    """Show what an asset or an address earned: orders, sales, fees, a market owner's share."""
    from posthuman.cli.chain_place import ChainPlace
    from posthuman.cli.earnings import show_earnings

    place = ChainPlace(workdir=workdir, rpc_url=rpc, environment=environment, context=context)
    end_with(lambda: show_earnings(subject, place, output is Output.JSON))


@app.command(rich_help_panel=Panel.MACHINE)
def demo(
    workdir: Workdir = Path(".demo"),
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, help="Training steps of each generation.")
    ] = None,
    model: Annotated[
        DemoModel, typer.Option("--model", help="smollm2, or tiny for a quick look.")
    ] = DemoModel.SMOLLM2,
) -> None:
    """Tell the whole story on this machine: publish, train twice, generate, evaluate."""
    from posthuman.cli.story.script import SMOLLM2, TINY
    from posthuman.cli.story.tell import tell_story

    pace = SMOLLM2 if model is DemoModel.SMOLLM2 else TINY
    end_with(lambda: tell_story(workdir.absolute(), pace, steps or pace.steps))


add_evidence_commands(app)
register_remote(app)
for server in (operator, gateway):
    app.command(rich_help_panel=Panel.SERVERS)(server)
