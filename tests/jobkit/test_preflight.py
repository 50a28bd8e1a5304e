"""At the end of staging the files themselves are asked whether the model fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobkit.errors import UserFault
from jobkit.fetch import fetch
from jobkit.plan import Preflight, StageInput, StagePlan
from tests.jobkit.plans import OWNER, stage_plan, write
from tests.jobkit.tiny_model import TINY

GB = 10**9
CONFIG = {"model_type": "gpt2", "n_layer": 2, "n_embd": 4, "n_head": 2, "vocab_size": 10}


def plan(folder: Path, config: dict[str, Any], parameters: Any, **hardware: Any) -> StagePlan:
    uploaded = folder / "store" / "uploads" / OWNER / "m"
    files = {"config.json": json.dumps(config).encode(), "m.safetensors": TINY["model.safetensors"]}
    entries = [
        {
            "path": write(uploaded / name, raw).name,
            "sha256": "",
            "size": len(raw),
            "class": "result",
        }
        for name, raw in files.items()
    ]
    write(uploaded / "manifest.json", json.dumps({"files": entries}))
    wanted = StageInput(name="model", kind="model", upload=f"uploads/{OWNER}/m")
    asked = Preflight(algorithm="train", **{"node_memory_bytes": 4 * GB, **hardware})
    made = stage_plan(folder, [wanted], **parameters)
    return msgspec.structs.replace(made, preflight=asked)


async def test_what_the_model_will_take_is_reported(tmp_path: Path) -> None:
    report = await fetch(plan(tmp_path, CONFIG, {}))
    assert report.reason == "Completed"
    told = report.details["estimate"]
    assert told.startswith("gpt2 with 4.4e-05 million parameters, AdamW in float32, without ZeRO")
    assert "of 4 GB" in told


async def test_models_of_a_kind_are_told_of_once(tmp_path: Path) -> None:
    one = plan(tmp_path, CONFIG, {})
    again = msgspec.structs.replace(one.inputs[0], name="other")
    two = msgspec.structs.replace(one, inputs=[one.inputs[0], again])
    assert (await fetch(two)).details["estimate"].count("gpt2 with") == 1


@pytest.mark.parametrize(
    ("config", "parameters", "hardware", "reason"),
    [
        (CONFIG, {}, {"node_memory_bytes": GB // 10}, "DoesNotFit"),
        (CONFIG, {"task": "seq2seq-lm"}, {}, "UnsupportedModel"),
        ({"model_type": "hal9000"}, {}, {}, "UnsupportedModel"),
        (CONFIG, {"tensorParallel": 2}, {"processes_per_node": 2}, "UnsupportedModel"),
    ],
)
async def test_a_model_that_can_t_is_the_user_s_fault(
    tmp_path: Path, config: dict[str, Any], parameters: Any, hardware: Any, reason: str
) -> None:
    with pytest.raises(UserFault) as refused:
        await fetch(plan(tmp_path, config, parameters, **hardware))
    assert (refused.value.reason, refused.value.user_error) == (reason, True)
    assert str(refused.value).startswith("input model: ")


async def test_code_of_its_own_may_make_any_type_work(tmp_path: Path) -> None:
    allowed = plan(tmp_path, {"model_type": "hal9000"}, {}, allow_remote_code=True)
    assert "hal9000" in (await fetch(allowed)).details["estimate"]


async def test_nothing_is_said_for_an_image(tmp_path: Path) -> None:
    asked = msgspec.structs.replace(plan(tmp_path, {"model_type": "x"}, {}), preflight=None)
    assert "estimate" not in (await fetch(asked)).details
