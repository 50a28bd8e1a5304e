# Every target does its own set-up. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := .tools/bin/uv
BIN := .venv/bin
export PYTHONPATH := operator:.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(UV):
	@echo "installing uv $(UV_VERSION) (about 5 s)"
	@$(PYTHON) -m venv .tools && .tools/bin/pip install -q uv==$(UV_VERSION)

.venv/.ready: locks/dev.txt | $(UV)
	@echo "installing Python packages, torch among them (5 GB, about 1 min the first time)"
	@test -x $(BIN)/python || $(UV) venv -q --python $(PYTHON) .venv
	@$(UV) pip sync -q --python $(BIN)/python --require-hashes locks/dev.txt
	@printf '%s\n' "$(CURDIR)/operator" "$(CURDIR)" > $$($(BIN)/python -c 'import site; print(site.getsitepackages()[0])')/posthuman.pth
	@printf '#!/bin/sh\nexec "%s/python" -m posthuman.cli "$$@"\n' "$(CURDIR)/$(BIN)" > $(BIN)/posthuman && chmod +x $(BIN)/posthuman
	@touch $@

# Built after torch, which its build imports, and without CUDA operators.
.venv/.deepspeed: locks/deepspeed.txt .venv/.ready
	@echo "installing DeepSpeed from its source (about 10 s)"
	@DS_BUILD_OPS=0 $(UV) pip install -q --python $(BIN)/python --no-build-isolation --require-hashes -r locks/deepspeed.txt
	@touch $@

.PHONY: venv
venv: .venv/.ready ## make the Python environment from the lock files

.PHONY: lock
lock: | $(UV) ## resolve the lock files anew from pyproject.toml
	@UV=$(UV) locks/compile.sh

.PHONY: format
format: venv ## format the code
	@ruff format . && ruff check --fix .

.PHONY: check
check: venv ## format, lint, strict types, import contracts
	@ruff format --check -q . && ruff check -q . && mypy && lint-imports --no-cache

.PHONY: test
test: check .venv/.deepspeed ## every test, the real cluster included (50 min the first time, 30 after that)
	@tests/run.sh

.PHONY: cluster
cluster: venv ## bring a real Kubernetes cluster up on this machine, with the images loaded
	@$(PYTHON) -m tests.cluster up $(UP_OPTIONS) && $(PYTHON) -m tests.cluster load-images

.PHONY: cluster-down
cluster-down: ## take it away
	@$(PYTHON) -m tests.cluster down

.PHONY: demo
demo: venv ## the whole story on this machine, without a cluster (STEPS=500: full length)
	@posthuman demo $(if $(STEPS),--steps $(STEPS))

.PHONY: demo-cluster
demo-cluster: cluster ## the same story on the real cluster, installed by helm
	@$(BIN)/python -m tests.story $(if $(STEPS),--steps $(STEPS))

.PHONY: chaos-ledger
chaos-ledger: cluster ## publish 200 assets while two operators are killed 50 times (about 10 min)
	@$(BIN)/python -m tests.assets.chaos $(if $(PUBLICATIONS),--publications $(PUBLICATIONS)) $(if $(KILLS),--kills $(KILLS))

.PHONY: benchmark-throughput
benchmark-throughput: cluster ## jobs a second, beside a bare Kopf handler, on a quiet machine
	@$(BIN)/python -m benchmarks.throughput

.PHONY: reference
reference: venv ## write docs/reference anew from the CRDs
	@$(BIN)/python docs/reference/generate.py

.PHONY: models
models: venv ## try every model type of transformers and write docs/reference/model-types.md anew (10 min)
	@OMP_NUM_THREADS=1 $(BIN)/python -m tests.algorithms.models.table $(TYPES)
