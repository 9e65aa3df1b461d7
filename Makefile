# Thin aliases of commands that work by hand as well; see docs/reproducing.md.
SUITE ?= open
PYTHON ?= python3
VENV := .venv
STAMP := $(VENV)/installed
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help install demo test reproduce restore evaluate extend tables report lint lock audit licences clean

help: ## This list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

install: $(STAMP) ## Create .venv with the pinned dependencies

demo: $(STAMP) ## Suite `quick` on generated data: tables, figures, report in results/quick
	snakemake --config suite=quick
	@fairmt show quick

test: $(STAMP) ## The whole test suite
	pytest -n 2 --dist loadfile --no-loadscope-reorder

reproduce: $(STAMP) ## A suite from raw data to report: make reproduce SUITE=open
	snakemake --config suite=$(SUITE)
	@fairmt show $(SUITE)

restore: $(STAMP) ## Raw data and runs of the versioned suite (`open`) from the DVC remote; afterwards nothing trains
	dvc pull
	snakemake --config suite=open -- runs

evaluate: $(STAMP) ## Metrics of a suite from its stored predictions; trains nothing
	snakemake --config suite=$(SUITE) --allowed-rules fetch prepare evaluate gather evaluate_all -- evaluate_all

extend: $(STAMP) ## Train only the runs that a suite's stored metrics lack: a new method, another seed; then its tables
	fairmt unpack $(SUITE)
	snakemake --config suite=$(SUITE) -- tables
	@fairmt show $(SUITE)

tables: $(STAMP) ## Tables, figures, claims and report of a suite from its stored metrics; trains nothing
	snakemake --config suite=$(SUITE) --allowed-rules table figure claims html tables \
	  --forcerun table figure claims html -- tables

report: $(STAMP) ## Snakemake's own report with provenance of every file: report.zip
	snakemake --config suite=$(SUITE) --report report.zip

lint: $(STAMP) ## Format, types, rules
	ruff format --check .
	ruff check .
	mypy
	snakefmt --check Snakefile workflow baselines
	snakemake --lint

lock: $(STAMP) ## Whether dvc.lock agrees with configuration and code: "Data and pipelines are up to date."
	@said=$$(dvc repro --dry --allow-missing); echo "$$said"; \
	  echo "$$said" | grep -q "Data and pipelines are up to date."

audit: $(STAMP) ## Known vulnerabilities of the pinned dependencies, by pip-audit; needs the network
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip install --quiet pip-audit
	$(VENV)/audit/bin/pip-audit --requirement requirements.lock --no-deps --disable-pip --strict

licences: $(STAMP) ## docs/licences.md: the licences of all that requirements.lock pins
	$(PYTHON) -m venv $(VENV)/licences
	$(VENV)/licences/bin/python -m pip install --quiet --no-deps --requirement requirements.lock
	$(VENV)/licences/bin/python docs/licences.py > $(VENV)/licences.md
	mv $(VENV)/licences.md docs/licences.md

clean: ## Delete the suite's runs and evaluations and all prepared data; keeps raw data, tables and figures
	rm -rf data/prepared results/$(SUITE)/runs results/$(SUITE)/evaluations

# Compiled on all processors, which pip does on one, without the packages' own tests; some packages hold templates
# that are not Python.
$(STAMP): pyproject.toml requirements.lock
	$(PYTHON) -m venv $(VENV) || { echo "make: $(PYTHON) -m venv failed; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(VENV)/bin/python -m pip install --quiet --no-compile --constraint requirements.lock --editable '.[dev]'
	@$(VENV)/bin/python -m compileall -qq -j 0 -x '/tests/' $(VENV)/lib || true
	@touch $@
