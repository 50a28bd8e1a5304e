"""Algorithms of a few lines, without torch: to see what the laptop does, not what they do."""

from __future__ import annotations

import json
from pathlib import Path

PROGRESS = (
    "print(json.dumps({'posthuman': 'progress', 'percent': 50.0, 'step': 1, 'totalSteps': 2,"
    " 'etaSeconds': 1.0, 'metrics': {'loss': 2.0}}), flush=True)\n"
)
HEAD = "import json, os, pathlib, signal, sys, time\nout = pathlib.Path(os.environ['OUTPUTS'])\n"
BODIES = {
    # Copies every input, so that a test sees what was staged.
    "copy": (
        "folders = json.loads(os.environ['POSTHUMAN_INPUTS'])\n"
        "for name, folder in folders.items():\n"
        "    for file in sorted(pathlib.Path(folder).rglob('*')):\n"
        "        if file.is_file(): (out / f'{name}.txt').write_bytes(file.read_bytes())\n"
        "(out / 'seen.json').write_text(json.dumps(dict(os.environ)))\n" + PROGRESS
    ),
    "exits": "print('about to fail', flush=True); sys.exit(1)\n",
    "wrong": (
        "print(json.dumps({'posthuman': 'failure', 'reason': 'EmptyDataset',"
        " 'message': 'there is no text', 'userError': True}), flush=True); sys.exit(12)\n"
    ),
    "killed": "print('eating', flush=True); os.kill(os.getpid(), signal.SIGKILL)\n",
    "silent": "print('nothing to say', flush=True)\n",
    "stays": PROGRESS + "time.sleep(600)\n",
    # Fails on its first attempt; what it remembers of it lies in scratch.
    "flaky": (
        "memory = pathlib.Path(os.environ['SCRATCH']) / 'tried'\n"
        "if not memory.exists():\n"
        "    memory.touch(); (out / 'half.txt').touch(); sys.exit(1)\n"
        "attempt = os.environ['POSTHUMAN_ATTEMPT']\n"
        "(out / 'done.txt').write_text(f'{attempt} {os.listdir(out)}')\n"
    ),
    # Leaves a model that can be loaded: one tensor of two floats.
    "model": (
        "model = out / 'model'; model.mkdir()\n"
        "tensor = {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 8]}\n"
        "head = json.dumps({'w': tensor}).encode()\n"
        "head += b' ' * (-len(head) % 8)\n"
        "(model / 'model.safetensors').write_bytes(len(head).to_bytes(8, 'little') + head"
        " + bytes(8))\n"
        "(model / 'config.json').write_text(json.dumps({'model_type': 'tiny'}))\n"
    ),
}
INPUTS = {"copy": {"text": {"required": True, "kind": "dataset"}}}


def write_algorithms(folder: Path) -> Path:
    """One folder an algorithm, as below algorithms/."""
    for name, body in BODIES.items():
        home = folder / name
        home.mkdir(parents=True)
        (home / "__main__.py").write_text(HEAD + body)
        facts = {"name": name, "version": "1", "inputs": INPUTS.get(name, {})}
        (home / "algorithm.json").write_text(json.dumps(facts))
    return folder
