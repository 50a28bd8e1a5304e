"""`posthuman …`: the command line. Each command has a module of its own, imported when it is used.

Exit codes: 0 done (for `run`: every job Succeeded); 1 a job failed, or the world did; 2 refused
input, one sentence for each thing that is wrong; 130 broken off (Ctrl-C).
"""

from posthuman.cli.app import main

__all__ = ["main"]
