"""`python -m examples.story_data model|text|tiny --out DIR`."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from examples.story_data.model import write_model
from examples.story_data.text import write_text


def main() -> None:
    """Writes what is asked for and says where it lies."""
    parser = argparse.ArgumentParser(prog="python -m examples.story_data", description=__doc__)
    parser.add_argument("what", choices=("model", "text", "tiny"))
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    options = parser.parse_args()
    if options.what == "text":
        for file in write_text(options.out).values():
            print(file)
    else:
        print(write_tiny(options.out) if options.what == "tiny" else write_model(options.out))


def write_tiny(folder: Path) -> Path:
    """torch is imported only here: the text needs none."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # a bar, for a file of 0.4 MB
    os.environ["DS_ACCELERATOR"] = "cpu"  # else DeepSpeed warns, where it is installed
    from examples.story_data.tiny import write_tiny_model

    return write_tiny_model(folder)


main()
