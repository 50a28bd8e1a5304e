#!/usr/bin/env bash
# All tests. Brings the real cluster up where the machine can have one, and takes it away again
# if it wasn't there before; where it can't, says so and which tests are left out.
set -euo pipefail
cd "$(dirname "$0")/.."

brought_up=""
finish() {
  code=$?
  if [ -n "$brought_up" ]; then make --no-print-directory cluster-down || true; fi
  exit "$code"
}
trap finish EXIT

if python3 -m tests.cluster status --can-run; then
  python3 -m tests.cluster status >/dev/null 2>&1 || brought_up=yes
  # A CI machine may still run another checkout's cluster; a person's is left alone.
  make --no-print-directory cluster UP_OPTIONS="${CI:+--replace}"
else
  echo "NO CLUSTER ON THIS MACHINE (the reason is above): tests marked 'cluster' are skipped"
fi
pytest "$@"
