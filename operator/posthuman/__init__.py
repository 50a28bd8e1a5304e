"""posthuman-operator: runs an AI marketplace's GPU jobs where the models live.

py_ecc, which web3 needs, raises the interpreter's recursion limit to 100,000 when it is imported.
That is more than the stack holds: JSON of a stranger's, nested deep enough, would then end the
process instead of raising RecursionError. So it is imported first, and the limit put back.
"""

import sys

import py_ecc as _raises_the_limit  # noqa: F401  # for its effect, which is undone

_PYTHONS_OWN_LIMIT = 1000
sys.setrecursionlimit(_PYTHONS_OWN_LIMIT)

__version__ = "0.1.0"
