"""The story's manifests, examples/story/*.yaml, with what varies filled in.

What varies stands there as ${NAME}, so that `envsubst < FILE | kubectl apply -f -` works as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from string import Template

import msgspec

from posthuman.api.environment import ChainContracts
from posthuman.errors import UserError

CHECKOUT = Path(__file__).resolve().parents[4]
FOLDER = CHECKOUT / "examples" / "story"
ENVIRONMENT_FILE = "environment.yaml"


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """A model, and how it is trained so that the story has its point within minutes."""

    model: str  # what examples.story_data calls it
    model_name: str
    steps: int
    batch_size: int
    block_length: int
    learning_rate: float
    seconds_a_step: float  # on two cores
    seconds_to_load: float
    samples: int = 0  # of each text, from its beginning; 0: all of them


SMOLLM2 = Pace(
    model="model",
    model_name="SmolLM2-135M",
    steps=40,
    batch_size=2,
    block_length=64,
    learning_rate=5e-5,
    seconds_a_step=1.1,
    seconds_to_load=12,
)
TINY = Pace(
    model="tiny",
    model_name="Tiny Llama",
    steps=60,
    batch_size=8,
    block_length=256,
    learning_rate=5e-3,
    seconds_a_step=0.06,
    seconds_to_load=4,
    samples=200,
)


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """What `posthuman upload` gave: the key prefix, and `sha256:…` of its manifest."""

    prefix: str
    manifest_digest: str

    @property
    def sha256(self) -> str:
        """64 hex digits, as an input names it."""
        return self.manifest_digest.removeprefix("sha256:")


class Uploads(msgspec.Struct, frozen=True, kw_only=True):
    """What the people bring: Alice her model, the others text."""

    model: Upload
    bob_text: Upload
    charlie_text: Upload
    held_out: Upload


def values(pace: Pace, uploads: Uploads, steps: int | None = None) -> dict[str, str]:
    """What fills the people's manifests beside the chain's values and their orders; `steps` as the
    pace has it if None."""
    return {
        "STEPS": str(steps or pace.steps),
        "BATCH_SIZE": str(pace.batch_size),
        "BLOCK_LENGTH": str(pace.block_length),
        "LEARNING_RATE": f"{pace.learning_rate:f}",  # 5e-05 is a text to some YAML readers
        "MODEL_NAME": pace.model_name,
        "MODEL_PREFIX": uploads.model.prefix,
        "MODEL_DIGEST": uploads.model.manifest_digest,
        "BOB_TEXT": uploads.bob_text.prefix,
        "BOB_TEXT_SHA256": uploads.bob_text.sha256,
        "CHARLIE_TEXT": uploads.charlie_text.prefix,
        "CHARLIE_TEXT_SHA256": uploads.charlie_text.sha256,
        "HELD_OUT": uploads.held_out.prefix,
        "HELD_OUT_SHA256": uploads.held_out.sha256,
    }


def chain_values(chain_id: int, contracts: ChainContracts) -> dict[str, str]:
    """What fills every manifest that names the chain or a token of it."""
    return {
        "CHAIN_ID": str(chain_id),
        "ERC721_FACTORY": contracts.erc721_factory,
        "OCEAN_TOKEN": contracts.ocean_token,
        "FIXED_RATE_EXCHANGE": contracts.fixed_rate_exchange,
        "DISPENSER": contracts.dispenser,
    }


def filled(file: str, given: Mapping[str, str]) -> str:
    """One manifest's text. Raises UserError if a value is missing."""
    text = (FOLDER / file).read_text()
    missing = set(re.findall(r"\$\{([A-Z0-9_]+)\}", _without_comments(text))) - set(given)
    if missing:
        raise UserError(f"examples/story/{file} needs a value for {', '.join(sorted(missing))}")
    return Template(text).safe_substitute(given)


def _without_comments(text: str) -> str:
    return "".join(line for line in text.splitlines(True) if not line.startswith("#"))
