"""A real one-node Kubernetes cluster for the tests, on a machine that may have no Docker.

`python -m tests.cluster up|down|status|build|load-images|kwok` is the whole interface. With a
working Docker engine the cluster is kind's; without one it is built from Go modules and runs as
processes of this machine. Either way the facts end up in `.run/cluster/env`. Standard library only:
it runs before the project's virtual environment exists.
"""
