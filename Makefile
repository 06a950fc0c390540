# Every target builds what it needs. `make` without a target lists them.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run cluster check test e2e full docs bench mcp-bench grants-bench tools-bench eval foreign revocation soak load walks mutants sbom advisories programs setup clean

export MODEL
# Each worker and each program that a test starts would otherwise compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=
PYTHON := .venv/bin/python
STEP := bin/step
PYTEST := .venv/bin/pytest
REPORTS := .reports
# One more than there are cores: some tests wait.
WORKERS := $(shell expr $$(nproc) + 1)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: setup ## run the product on http://localhost:8787, without a cluster or an account
	@.venv/bin/productive-dev run $(if $(PORT),--port $(PORT))

cluster: programs ## run a local Kubernetes control plane with operator and gateway, for kubectl
	@cd tests && ../$(PYTHON) -m harness.local

check: setup ## run lint, types and unit tests, in at most two minutes
	@$(STEP) "lint" .venv/bin/ruff check
	@$(STEP) "format" .venv/bin/ruff format --check
	@$(STEP) "types" .venv/bin/mypy
	@$(STEP) "layers" .venv/bin/lint-imports
	@$(STEP) "unit tests" $(PYTEST) -q -n $(WORKERS) --junit-xml=$(REPORTS)/unit.xml tests/unit

test: check programs ## run check, and all tests that need no pods, on a real Kubernetes API server
	@$(STEP) "browser" bin/browser
	@$(STEP) "packages of node" bin/node-packages
	@$(STEP) "prometheus" bin/prometheus
	@$(STEP) "tests" $(PYTEST) -q -n 2 --dist loadfile --durations=10 --junit-xml=$(REPORTS)/tests.xml tests \
		--ignore=tests/unit --ignore=tests/e2e --ignore=tests/full

e2e: programs ## run the tests of pods, on a three-node kind cluster
	@$(STEP) "browser" bin/browser
	@bin/e2e

full: programs ## run what takes longest: other kinds of cluster, mutants, all kills, foreign clients, soak and load, then walks and bench
	@$(STEP) "browser" bin/browser
	@bin/e2e --variant ipv6
	@bin/e2e --variant no-key-identifiers
	@$(STEP) "mutants" $(MAKE) mutants
	@$(STEP) "kills" $(PYTEST) -q --complete --junit-xml=$(REPORTS)/complete.xml tests/attacks
	@$(STEP) "packages of node" bin/node-packages
	@$(STEP) "prometheus" bin/prometheus
	@$(STEP) "more clients and providers, alerts of a running installation" $(PYTEST) -q tests/full
	@$(STEP) "foreign clients" $(MAKE) foreign
	@$(STEP) "soak" $(MAKE) soak
	@$(STEP) "load" $(MAKE) load
	@$(STEP) "walks" $(MAKE) walks
	@$(STEP) "bench" $(MAKE) bench

programs: setup ## build etcd, the Kubernetes programs, kubectl and helm for the tests
	@cd tests && ../$(STEP) "Kubernetes programs" ../$(PYTHON) -m harness.build

setup: ## create .venv from the lock file
	@bin/bootstrap >/dev/null

docs: setup ## write docs/tools.md and the schema snapshots anew, after a change of a tool
	@.venv/bin/productive-dev tool-docs >/dev/null

bench: programs ## measure the operator with 100, 1,000 and 10,000 people, then what mcp-bench does
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.operator 100 1000 10000
	@$(MAKE) mcp-bench

mcp-bench: programs ## measure /mcp beside a Worker, FastMCP and others, which are fetched once (ten minutes)
	@bin/load-generator
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.mcp --json $(REPORTS)/mcp.json
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.mcp.plot $(REPORTS)/mcp.json $(REPORTS)/mcp.svg

grants-bench: programs ## measure gateways with 1,000, 5,000 and 20,000 grants (half an hour)
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.grants 1000 5000 20000 --json $(REPORTS)/grants.json

revocation: programs ## measure how soon access ends, in each state of the cluster (20 minutes)
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.revocation

tools-bench: ## measure the tools beside other servers, which are fetched once (MIRROR=folder of git repositories)
	@bin/bootstrap tokens >/dev/null
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.tools --json $(REPORTS)/tools.json $(if $(MIRROR),--from $(MIRROR))

eval: ## ask a language model everyday questions: MODEL='command' gets each on its standard input
	@test -n "$$MODEL" || { echo 'Set MODEL to a command: see benchmarks/eval/model.py.' >&2; exit 2; }
	@bin/bootstrap tokens >/dev/null
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.eval --command "$$MODEL" --json $(REPORTS)/eval.json

foreign: setup ## run public clients of Productive against the simulator (CLIENTS=all: also those of GitHub)
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.clients $(CLIENTS) $(if $(MIRROR),--from $(MIRROR))

soak: programs ## use three replicas for SOAK_MINUTES=10 while parts are killed: is anybody refused, or served too long?
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.soak --minutes $(or $(SOAK_MINUTES),10) --json $(REPORTS)/soak.json

load: programs ## send one replica twice what it bears, among hostile clients, for twice LOAD_SECONDS=300
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.load --seconds $(or $(LOAD_SECONDS),300) --json $(REPORTS)/load.json

walks: programs ## count the files that a call, a sign-in and a change of a person execute
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.walks

mutants: programs ## take out one defence at a time, and see which tests notice (ONLY='F D-10 budget': groups, ids, topics)
	@bin/browser
	@PYTHONPATH=tests $(PYTHON) -m mutants $(ONLY)

sbom: ## write what each image contains, as CycloneDX, into .reports
	@mkdir -p $(REPORTS)
	@for program in gateway operator; do $$(bin/bootstrap) export --quiet --frozen --no-dev --preview-features sbom-export \
	    --format cyclonedx1.5 --package productive-$$program --output-file $(REPORTS)/$$program.cdx.json || exit 1; done

advisories: ## look for known vulnerabilities in the locked packages (asks osv.dev)
	@$$(bin/bootstrap) audit --frozen

clean: ## remove what the targets created in this tree, but not the cache folder
	rm -rf .venv .reports .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
