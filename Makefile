# `make` alone explains what there is.
SHELL := /bin/sh
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
# ONNX Runtime tells its maker where it runs unless it hears of this; the services see to it themselves.
export ORT_DISABLE_TELEMETRY := 1

# A container engine that answers and knows compose; asked, because a client on the path proves nothing.
# `make up engine=` never uses one.
engine = $(shell for it in docker podman; do \
	timeout 5 $$it info >/dev/null 2>&1 && timeout 5 $$it compose version >/dev/null 2>&1 && echo $$it && break; done)
STATE = $(or $(DIORAMA_STATE),$(shell sed -n "s/^DIORAMA_STATE=[\"']*\([^\"'\# ]*\).*/\1/p" .env 2>/dev/null),.local)
COMPOSE_FILES = $(STATE)/compose
compose = $(1) compose $(if $(wildcard .env),--env-file .env) --env-file $(COMPOSE_FILES)/compose.env

# Whether the stack that is meant runs in containers: no address names another, and none runs beside them.
contained = [ -z "$$GATEWAY_URL" ] && ! grep -qs '^GATEWAY_URL=.' .env && [ -f $(COMPOSE_FILES)/compose.env ] && \
	! $(PYTHON) -m deploy.local status >/dev/null 2>&1 && engine='$(engine)' && [ -n "$$engine" ] && \
	[ -n "$$($(call compose,$$engine) ps --quiet 2>/dev/null)" ]
token_inside = $(call compose,$$engine) exec -T gateway python -m services.gateway.tokens

# The oldest Python that is promised, so that a lock made on a newer one still serves it.
compile = .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock'

##@ Run

.PHONY: demo
demo: bootstrap ## Show it working, end to end: [url=https://...] a page of yours, [once=1] end afterwards
	@$(PYTHON) -m deploy.demo $(if $(url),--url '$(url)') $(if $(once),--once)

.PHONY: up
up: bootstrap ## Start the whole stack; in containers where an engine answers
	@engine='$(engine)'; \
	if [ -z "$$engine" ]; then exec $(PYTHON) -m deploy.local up; fi; \
	$(PYTHON) -m deploy.local compose-files && \
	$(call compose,$$engine) up --detach --build --wait && \
	echo "gateway  http://$$($(call compose,$$engine) port gateway 8000)" && \
	printf 'token    ' && $(token_inside)

.PHONY: down
down: bootstrap ## End the stack in order
	@$(PYTHON) -m deploy.local down
	@engine='$(engine)'; if [ -n "$$engine" ] && [ -f $(COMPOSE_FILES)/compose.env ]; then \
	$(call compose,$$engine) down; fi

.PHONY: doctor
doctor: bootstrap ## One PASS or FAIL line for each part of the running stack
	@if $(contained); then \
	$(call compose,$$engine) build doctor >/dev/null && \
	GATEWAY_TOKEN=$$($(token_inside) 2>/dev/null) $(call compose,$$engine) run --rm --env GATEWAY_TOKEN doctor; \
	else exec $(PYTHON) -m deploy.doctor; fi

.PHONY: ctl
ctl: bootstrap ## The command line, for the stack that runs here: args="queues", args="jobs retry --help"
	@if $(contained); then \
	GATEWAY_URL=http://$$($(call compose,$$engine) port gateway 8000) GATEWAY_TOKEN=$$($(token_inside)); \
	export GATEWAY_URL GATEWAY_TOKEN; fi; \
	exec $(PYTHON) -m deploy.ctl $(args)

##@ Change

.PHONY: check
check: lint test ## What CI runs

.PHONY: test
test: bootstrap ## The whole test suite against real parts: [workers=3] [args="tests/shared -k lease"]
	@$(PYTHON) -m compileall -q contracts deploy services shared
	@PYTHONDONTWRITEBYTECODE= $(PYTHON) -m pytest --numprocesses=$(or $(workers),2) --dist=loadfile --no-loadscope-reorder $(args)

.PHONY: lint
lint: bootstrap ## Style, format and types
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy

.PHONY: contracts
contracts: bootstrap ## Write schemas, asyncapi.yaml and topology.json anew
	@$(PYTHON) -m deploy.contracts

.PHONY: models
models: bootstrap ## Fetch and verify the weights of the depth model: [url=https://...] from a mirror
	@$(PYTHON) -m deploy.models $(if $(url),--url '$(url)')

# Torch for Linux brings what a graphics processor needs and cannot do without; an environment with a build for
# processors alone, python=..., does as well.
TRAINING := .local/depth-network/environment
.PHONY: depth-network
depth-network: bootstrap ## Draw scenes and train the small depth network on them: [python=] [args="--steps 24000"]
	@[ -n "$(python)" ] || [ -x $(TRAINING)/bin/python ] || .venv/bin/uv venv --quiet $(TRAINING)
	@[ -n "$(python)" ] || .venv/bin/uv pip sync --quiet --require-hashes --python $(TRAINING)/bin/python \
	services/depth_map/training/requirements.lock
	@$(or $(python),$(TRAINING)/bin/python) -m services.depth_map.training $(args)

.PHONY: lock
lock: bootstrap ## Resolve every lock file anew, with hashes
	@$(compile) --group dev pyproject.toml contracts/pyproject.toml shared/pyproject.toml \
	services/*/pyproject.toml --output-file requirements.lock
	@for project in services/*/pyproject.toml; do \
	$(compile) --constraint requirements.lock contracts/pyproject.toml shared/pyproject.toml $$project \
	--output-file $$(dirname $$project)/requirements.lock || exit 1; done
	@for accelerator in cuda openvino; do \
	$(compile) --constraint requirements.lock --extra $$accelerator --no-emit-package onnxruntime \
	contracts/pyproject.toml shared/pyproject.toml services/depth_map/pyproject.toml \
	--output-file services/depth_map/accelerators/$$accelerator/requirements.lock || exit 1; done
	@$(compile) --constraint requirements.lock services/depth_map/training/pyproject.toml \
	--output-file services/depth_map/training/requirements.lock
	@for rival in tests/benchmarks/importing/rivals/*.in; do \
	$(compile) $$rival --output-file $${rival%.in}.lock || exit 1; done

##@ Prove

.PHONY: bench
bench: bootstrap ## Measure, and compare on equal terms: [of=searching] what, where not jobs
	@$(PYTHON) -m compileall -q contracts deploy services shared tests/benchmarks
	@$(PYTHON) -m tests.benchmarks$(if $(of),.$(of))

.PHONY: chaos
chaos: bootstrap ## Break everything at random under load: [seconds=300] [seed=1] [write=1] keep the result
	@$(PYTHON) -m tests.reliability --seconds $(or $(seconds),300) --seed $(or $(seed),1) $(if $(write),--write)

.PHONY: crash-points
crash-points: bootstrap ## Have a service die once at every step: [only="media shared.relay"] [alone=1] [everywhere=1]
	@$(PYTHON) -m tests.reliability.crash_points --only '$(only)' $(if $(alone),--alone) $(if $(everywhere),--everywhere)

.PHONY: figures
figures: bootstrap ## Measure what it bears, beside the bars: [only="backlog soak"] [write=1]
	@$(PYTHON) -m tests.reliability.figures $(only) $(if $(write),--write)

##@ Keep house

.PHONY: bootstrap
bootstrap: ## Prepare this machine; every other target does it first
	@deploy/bootstrap

.PHONY: clean
clean: ## Remove the environment and every stack's data; asks first
	@printf 'This deletes .venv and .local with all stored media. Type yes to go on: '; read answer; \
	[ "$$answer" = yes ] || { echo 'Nothing was deleted.'; exit 1; }
	@if [ -x $(PYTHON) ]; then $(PYTHON) -m deploy.local down; fi
	@rm -rf .venv .local

.PHONY: help
help:
	@awk 'BEGIN { FS = ":.*## " } \
	/^##@ / { printf "\n%s\n", substr($$0, 5) } \
	/^[a-z-]+:.*## / { split($$1, name, ":"); printf "  make %-12s %s\n", name[1], $$2 }' $(MAKEFILE_LIST)
