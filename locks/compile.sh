#!/usr/bin/env bash
# Resolve every lock file from pyproject.toml. dev.txt is resolved first; the others are its subsets,
# so that each image runs the versions the tests ran. Hashes are kept, addresses are not.
set -euo pipefail
cd "$(dirname "$0")/.."
compile="${UV:-uv} pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url -q"
$compile pyproject.toml --group jobkit --group algorithms --group demo --group dev -o locks/dev.txt
$compile pyproject.toml -c locks/dev.txt -o locks/operator.txt
for group in jobkit algorithms deepspeed; do
  $compile --group "$group" -c locks/dev.txt -o "locks/$group.txt"
done
