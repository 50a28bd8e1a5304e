#!/bin/sh
# Install a hashed lock file into /opt/venv, making the environment if it isn't there yet.
# Usage: install-python.sh LOCK_FILE [uv pip install's own options]. Needs UV_VERSION.
# The image's own certificates count, as for every other program in it.
# Bytecode is compiled now: a pod runs as nobody in particular, on a root it can't write.
set -eu
lock="$1"
shift
python3 -m venv /tmp/uv
/tmp/uv/bin/pip install --quiet --root-user-action=ignore "uv==${UV_VERSION}"
test -x /opt/venv/bin/python || /tmp/uv/bin/uv venv --quiet --python python3 /opt/venv
UV_LINK_MODE=copy /tmp/uv/bin/uv pip install --quiet --system-certs --python /opt/venv/bin/python \
    --require-hashes --compile-bytecode --requirement "$lock" "$@"
rm -rf /tmp/uv
