"""What strangers write may be nested as deep as they like: it is refused, and no process ends."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import posthuman.ledger.ocean, posthuman.bootstrap
import json, msgspec
from jobkit.manifest import decode_manifest
from posthuman.errors import UserError
from posthuman.ledger.keystore import opened
from posthuman.receipts.content import Mismatch
from posthuman.receipts.signed import read_signed

def refusal(parse, *errors):
    try:
        parse()
    except errors as error:
        return type(error).__name__

for deep in (b'[' * 1_000_000, b'{"unknown":' * 1_000_000):
    print(refusal(lambda: json.loads(deep), RecursionError))
    print(refusal(lambda: msgspec.json.decode(deep), RecursionError))
    print(refusal(lambda: read_signed(deep), Mismatch))
    print(refusal(lambda: decode_manifest(deep), msgspec.DecodeError))
    print(refusal(lambda: opened(deep, b'x'), UserError))
"""


def test_deep_nesting_ends_no_process() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.split()) == 10
    assert "None" not in ended.stdout
