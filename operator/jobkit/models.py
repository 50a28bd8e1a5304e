"""What only a model's files tell, without torch: its type, size and dtype, and whether it is safe.

A safetensors file is 8 bytes of header length (little endian), a JSON header, then raw numbers; it
can't hold code. Pickles can, so they are refused.
Format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

import msgspec

from jobkit.errors import UserFault
from jobkit.manifest import ModelFacts

PICKLE_SUFFIXES = frozenset(
    {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".npy", ".npz"}
)
MAX_HEADER_BYTES = 16_000_000  # the format allows 100 MB, which no step has the memory to decode
MAX_PARAMETERS = 2**53 - 1  # what RFC 8785 can write
MAX_CONFIG_BYTES = 10_000_000
DTYPES = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
}


Size = Annotated[int, msgspec.Meta(ge=0, le=MAX_PARAMETERS)]


class Tensor(msgspec.Struct, frozen=True):
    """One entry of a header."""

    dtype: str
    shape: tuple[Size, ...]
    data_offsets: tuple[int, int]


def refuse_pickles(names: Iterable[str]) -> None:
    """Raises UserFault (PickleRefused) naming the first file whose loading could run code."""
    for name in names:
        if is_pickle(name):
            raise UserFault(
                "PickleRefused",
                f"{name} may hold a pickle, which runs code when it is loaded; "
                "save the weights as safetensors and leave this file out",
            )


def is_pickle(name: str) -> bool:
    """By the name alone: such a file is never opened to find out."""
    return PurePosixPath(name).suffix.lower() in PICKLE_SUFFIXES


def is_in_pickles(names: Sequence[str]) -> bool:
    """Whether what could be weights are pickles, and nothing else is."""
    return any(map(is_pickle, names)) and not any(n.endswith(".safetensors") for n in names)


def inspect_model(folder: Path, names: Sequence[str], allow_pickles: bool = False) -> ModelFacts:
    """Type, parameter count and dtype of the model whose files are `names`. Raises UserFault."""
    if not allow_pickles:
        refuse_pickles(names)
    weights = [name for name in names if name.endswith(".safetensors")]
    if "config.json" not in names or not weights:
        raise _invalid(folder, "it needs a config.json and .safetensors files at its top")
    counts: Counter[str] = Counter()
    for name in weights:
        for tensor in read_header(folder / name).values():
            counts[tensor.dtype] += math.prod(tensor.shape)
    if counts.total() > MAX_PARAMETERS:
        raise _invalid(folder, "its shapes name more parameters than there can be")
    dtype = counts.most_common(1)[0][0] if counts else ""
    return ModelFacts(
        model_type=_model_type(folder),
        parameter_count=counts.total(),
        dtype=DTYPES.get(dtype, dtype.lower()),
    )


def read_config(folder: Path) -> dict[str, object]:
    """The model's config.json. Raises UserFault (ModelInvalid)."""
    path = folder / "config.json"
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise _invalid(folder, "its config.json is too large")
        return msgspec.json.decode(path.read_bytes(), type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(folder, f"its config.json is no JSON object ({error})") from error


def _model_type(folder: Path) -> str:
    model_type = read_config(folder).get("model_type")
    if not isinstance(model_type, str):
        raise _invalid(folder, 'its config.json has no "model_type"')
    return model_type


def read_header(path: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file. Raises UserFault if it is malformed or cut off."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            raise _invalid(path, "its safetensors header is cut off or no header at all")
        raw = file.read(length)
    try:
        entries = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        entries.pop("__metadata__", None)
        tensors = {name: msgspec.json.decode(r, type=Tensor) for name, r in entries.items()}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _invalid(path, f"its safetensors header is malformed ({error})") from error
    _check_offsets(path, tensors, size - 8 - length)
    return tensors


def _check_offsets(path: Path, tensors: dict[str, Tensor], data_bytes: int) -> None:
    """The tensors lie one after another and fill the file, as the format demands."""
    expected = 0
    for begin, end in sorted(tensor.data_offsets for tensor in tensors.values()):
        if begin != expected or end < begin:
            raise _invalid(path, "its tensors overlap or leave gaps")
        expected = end
    if expected != data_bytes:
        raise _invalid(path, f"it holds {data_bytes} bytes of tensors, its header says {expected}")


def _invalid(path: Path, why: str) -> UserFault:
    return UserFault("ModelInvalid", f"{path.name} is no model that can be loaded: {why}")
