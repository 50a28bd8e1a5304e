"""What can go wrong with the test cluster, as its users see it.

ClusterError            says what is wrong, where, and what to do next
└── CannotRunHere       this machine can't have a cluster: tests that need one are left out
"""


class ClusterError(Exception):
    """A fault that a person can act on; the command line prints it without a stack trace."""

    exit_code = 1


class CannotRunHere(ClusterError):
    """The machine lacks what a cluster needs; `make test` then leaves the cluster tests out."""

    exit_code = 3
