"""Types that read in both directions unless their config says otherwise."""

from __future__ import annotations

from typing import Any

SWITCHES = ("is_decoder", "causal")  # BERT's and Reformer's, XLM's


def make_causal(config: Any) -> None:
    """Else their head for causal-lm would see the tokens that it predicts."""
    for switch in SWITCHES:
        if getattr(config, switch, None) is False:
            setattr(config, switch, True)
