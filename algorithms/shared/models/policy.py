"""What a model's folder may make this process do: by default, nothing but hold numbers.

A pickle runs code as it is read, and `auto_map` names Python files of the folder. Either is done
only where the environment's policy allows it, which reaches this process as a variable.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from algorithms.shared.data.nesting import DEEPEST, is_shallow
from algorithms.shared.failures import BadModel

PICKLES_VARIABLE = "POSTHUMAN_ALLOW_PICKLES"
CODE_VARIABLE = "POSTHUMAN_ALLOW_REMOTE_CODE"
SETTINGS = ("generation_config.json", "tokenizer_config.json", "special_tokens_map.json")
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def pickles_allowed() -> bool:
    """Weights in pickles may be read, as tensors only (torch.load's weights_only)."""
    return os.environ.get(PICKLES_VARIABLE) == "1"


def code_allowed() -> bool:
    """Python code in the model's folder may be run."""
    return os.environ.get(CODE_VARIABLE) == "1"


def check_weights(folder: Path) -> None:
    """Raises BadModel where there is nothing that may be read, or what leads out of the folder."""
    _refuse_adapter(folder)
    for index in folder.glob("*.index.json"):
        _refuse_paths(index)
    if any(folder.glob("*.safetensors")):
        return
    pickles = sorted(file.name for pattern in PICKLES for file in folder.glob(pattern))
    if not pickles:
        raise BadModel(f"The model in {folder} has no weights: no *.safetensors file is there.")
    if not pickles_allowed():
        raise BadModel(
            f"The model in {folder} has its weights in a pickle ({pickles[0]}), which could run "
            "code. Save it again as safetensors, or have the environment's policy allow it "
            "(policy.allowPickles)."
        )


def _refuse_adapter(folder: Path) -> None:
    """transformers would follow its base_model_name_or_path to any folder of the machine."""
    if (folder / "adapter_config.json").exists():
        raise BadModel(
            f"The model in {folder} is an adapter (adapter_config.json), which names another model "
            "as its base. Merge it into that one, and leave the adapter's files out."
        )


def _refuse_paths(index: Path) -> None:
    """Of shards: each is a file beside the index."""
    shards = read_json(index).get("weight_map")
    for name in shards.values() if isinstance(shards, dict) else ():
        if not isinstance(name, str) or Path(name).name != name:
            raise BadModel(f"{index} names {name!r}, which is no file beside it.")


def check_code(folder: Path, known_types: Any) -> None:
    """Raises BadModel for a model that only its own Python code can make, or for settings that are
    no plain JSON objects."""
    for name in SETTINGS:
        if (folder / name).exists():
            read_json(folder / name)
    config = read_json(folder / "config.json")
    if config.get("model_type") in known_types or not config.get("auto_map") or code_allowed():
        return
    raise BadModel(
        f"The model in {folder} ({config.get('model_type')}) comes with Python code of its own. "
        "It is run only if the environment's policy allows it (policy.allowRemoteCode)."
    )


def read_json(file: Path) -> dict[str, Any]:
    """Raises BadModel for what isn't an object, or would take a decoder's stack."""
    try:
        text = file.read_text()
        if not is_shallow(text):
            raise BadModel(f"{file} is nested more than {DEEPEST} levels deep.")
        content = json.loads(text)
    except (OSError, ValueError) as error:
        raise BadModel(f"{file} can't be read: {error}.") from error
    if not isinstance(content, dict):
        raise BadModel(f"{file} is no JSON object.")
    return content
