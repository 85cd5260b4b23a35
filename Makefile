# The two commands of the README are `make demo` and `make test`.
# Each needs only Python >= 3.11, git and make; PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Most of what is installed is never imported: what is will be compiled then.
INSTALL := pip --disable-pip-version-check --quiet install --no-compile
PIP    := $(BIN)/$(INSTALL)
# INSTALLER=uv installs what is developed with in a tenth of the time. It reads none of pip's settings.
INSTALLER ?= pip
ifeq ($(INSTALLER),uv)
# Copies: NLTK, which LlamaIndex brings, refuses to read files that are linked from uv's cache.
export UV_LINK_MODE := copy
UV     := $(VENV)-uv/.installed
into    = $(VENV)-uv/bin/uv pip install --quiet --python $(1)/bin/python
else
into    = $(1)/bin/$(INSTALL)
endif
PYTEST := $(BIN)/python -m pytest
# Test processes side by side. Each begins with a half of its own, so that what a file makes once is
# made once, and takes over some of another's when it is done.
WORKERS ?= 2
SPREAD := -n $(WORKERS) --dist worksteal
PATHS  := lfm2_colbert_rag tests integrations recipes benchmarks examples
ADAPTERS := -e integrations/langchain -e integrations/llama_index -e integrations/small_model

.PHONY: demo test test-core test-langchain test-llama-index test-small test-adapters-min test-base test-minimum \
        test-crash test-slow agreement agreement-pylate agreement-st \
        lint lint-ruff lint-core lint-langchain lint-llama-index lint-small lint-win32 lint-darwin format \
        bench bench-encode install install-dev install-base install-docs docs dist \
        notebooks clean

demo: install
	$(BIN)/lfm2-colbert demo

# The adapters' suites and that of the base installation are short: one process for each, side by side.
test: install-dev install-base test-core
	$(MAKE) -j 3 --output-sync WORKERS=0 test-langchain test-llama-index test-small test-base

test-core:
	$(PYTEST) -q $(SPREAD) -m "not slow"

# What is worth running at every turn; all else is in `make test`.
.PHONY: test-fast
test-fast: install-dev
	$(PYTEST) -q $(SPREAD) --hypothesis-profile fast \
	    -m "not slow and not long and not crash and not benchmark and not notebook and not subprocess"

LANGCHAIN   := -c integrations/langchain/pyproject.toml --rootdir integrations/langchain integrations/langchain/tests
LLAMA_INDEX := -c integrations/llama_index/pyproject.toml --rootdir integrations/llama_index integrations/llama_index/tests

test-langchain:
	$(PYTEST) -q $(SPREAD) -m "not slow" $(LANGCHAIN)

test-llama-index:
	$(PYTEST) -q $(SPREAD) -m "not slow" $(LLAMA_INDEX)

# The larger model, which is a distribution too.
SMALL := -c integrations/small_model/pyproject.toml --rootdir integrations/small_model integrations/small_model/tests
test-small:
	$(PYTEST) -q $(SPREAD) -m "not slow" $(SMALL)

# The same tests with the oldest frameworks that the adapters' lower bounds allow, laid over the
# newest. -W: what these warn of is theirs.
MINIMUM := $(VENV)-adapters-min
OLDEST  := -W ignore::UserWarning -W ignore::DeprecationWarning
test-adapters-min: install-dev $(MINIMUM)/.installed
	PYTHONPATH=$(MINIMUM) $(PYTEST) -q -n $(WORKERS) $(OLDEST) $(LANGCHAIN)
	PYTHONPATH=$(MINIMUM) $(PYTEST) -q -n $(WORKERS) $(OLDEST) $(LLAMA_INDEX)

# What the store and the retriever do where files that are in use cannot be removed, renamed or
# replaced: on Linux, see tests/windows.
.PHONY: test-windows-rules
WINDOWS := tests/storage tests/retriever tests/contract tests/crash
test-windows-rules: install-dev
	LFM2_COLBERT_WINDOWS_RULES=1 $(PYTEST) -q $(SPREAD) -m "not slow" $(WINDOWS)

# The playground in the system's Chromium, or in the one that CHROMIUM names.
# LFM2_COLBERT_PICTURES=DIR also writes pictures of it in twelve languages and both themes.
.PHONY: test-browser
test-browser: $(VENV)-browser/.installed
	$(VENV)-browser/bin/python -m pytest -q tests/browser

# Two machines of a Ray cluster on this one, of which the second is killed.
.PHONY: test-ray
test-ray: $(VENV)-ray/.installed
	$(VENV)-ray/bin/python -m pytest -q tests/ray

# What users get without extras: no torch anywhere.
COMMANDS := adapt align commands demo index keys optimize
BASE := $(COMMANDS:%=tests/cli/test_%.py) tests/retriever/test_facade.py tests/project/test_install.py \
        tests/project/test_public_surface.py tests/project/test_readme.py
test-base: install-base
	! $(VENV)-base/bin/python -c "import torch" 2>/dev/null
	$(VENV)-base/bin/python -m pytest -q $(SPREAD) -m "not slow and not long and not subprocess" $(BASE)

# The same with the oldest versions that the lower bounds allow, the small extras included.
OLDEST_PYTHON ?= python3.11
test-minimum: $(VENV)-minimum/.installed
	$(VENV)-minimum/bin/python -m pytest -q $(SPREAD) $(BASE)

test-crash: install-dev
	$(PYTEST) -q tests/crash

# The index with every read and write of its kernels compared with the bounds of the arrays. Numba's
# cache does not tell such kernels from others, so they have a folder of their own.
BOUNDS ?= build/boundscheck
.PHONY: test-boundscheck
test-boundscheck: install-dev
	NUMBA_BOUNDSCHECK=1 NUMBA_CACHE_DIR=$(abspath $(BOUNDS)) \
	    $(PYTEST) -q -n $(WORKERS) tests/index tests/contract

# Thousands of damaged files, crafted backups and odd vectors, and a table of what became of them:
# half an hour. FAULTS says how many damages there are; the others are in proportion.
FAULTS ?= 1500
.PHONY: test-faults
test-faults: install-dev
	LFM2_COLBERT_FAULTS=$(FAULTS) $(PYTEST) -q -n $(WORKERS) tests/faults

test-slow: install-dev
	$(PYTEST) -q -m slow
	$(PYTEST) -q -m slow $(SMALL)
	$(PYTEST) -q -m slow $(LANGCHAIN)
	$(PYTEST) -q -m slow $(LLAMA_INDEX)

# Vectors against those of the two libraries that save such checkpoints. Their pins exclude one
# another, so each has an environment of its own. -W: their warnings are theirs.
agreement: agreement-pylate agreement-st

agreement-pylate: $(VENV)-agreement-pylate/.installed
	$(VENV)-agreement-pylate/bin/python -m pytest -q -W ignore tests/agreement/test_pylate.py

agreement-st: $(VENV)-agreement-st/.installed
	$(VENV)-agreement-st/bin/python -m pytest -q -W ignore \
	    tests/agreement/test_sentence_transformers.py

# Other people's clients, unmodified, against a real server, each by the environment of its library.
.PHONY: test-clients
FOREIGN := $(notdir $(basename $(wildcard tests/foreign/environments/*.txt)))
test-clients: install-dev $(FOREIGN:%=$(VENV)-foreign-%/.installed) $(VENV)-foreign-node/.installed
	$(PYTEST) -q tests/foreign

# `make -j 2 lint` looks at two of them side by side.
lint: lint-ruff lint-core lint-langchain lint-llama-index lint-small lint-win32 lint-darwin

# PLW1514: text files without an encoding are read as something else on Windows.
lint-ruff: install-dev
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff check --preview --select PLW1514 lfm2_colbert_rag tests integrations
	$(BIN)/ruff format --check $(PATHS)

lint-core: install-dev
	$(BIN)/mypy

lint-langchain: install-dev
	cd integrations/langchain && ../../$(BIN)/mypy

lint-llama-index: install-dev
	cd integrations/llama_index && ../../$(BIN)/mypy

lint-small: install-dev
	cd integrations/small_model && ../../$(BIN)/mypy

# The four distributions as the other platforms see them, each with a cache of its own.
lint-win32 lint-darwin: lint-%: install-dev
	$(BIN)/mypy --config-file .ci/platforms.ini --platform $* --cache-dir .mypy_cache/$* \
	    -p lfm2_colbert_rag -p langchain_lfm2_colbert -p llama_index.retrievers.lfm2_colbert \
	    -p lfm2_colbert_small

# The site, into site/. Nothing is fetched once its tools are installed.
docs: $(VENV)-docs/.installed
	NO_MKDOCS_2_WARNING=1 $(VENV)-docs/bin/mkdocs build --strict

# Wheels and sdists of the four distributions, into dist/, and what users get of them: installed
# into a new environment, with what they require from PyPI.
DISTRIBUTIONS := . integrations/langchain integrations/llama_index integrations/small_model
dist: install-base $(VENV)-build/.installed
	rm -rf dist $(VENV)-dist
	for one in $(DISTRIBUTIONS); do \
	    $(VENV)-build/bin/python -m build --no-isolation --outdir dist $$one >/dev/null || exit 1; \
	done
	$(VENV)-build/bin/twine check --strict dist/*
	$(PYTHON) -m venv $(VENV)-dist
	$(VENV)-dist/bin/$(INSTALL) dist/*.whl
	LFM2_DIST=dist LFM2_DIST_PYTHON=$(abspath $(VENV)-dist)/bin/python \
	    $(VENV)-base/bin/python -m pytest -q tests/project/test_dist.py

# Runs the notebooks and keeps what they print; commit the result.
notebooks: install-dev
	$(BIN)/python notebooks/execute.py

format: install-dev
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

# DATA is a folder of evaluation sets as corpus.jsonl, queries.jsonl and qrels.jsonl.
DATA ?= ../shared/data/eval
bench: install
	$(BIN)/python -m benchmarks.quality --data $(DATA)
	$(BIN)/python -m benchmarks.quality.tables

# Speed of encoding beside PyLate and sentence-transformers, on an otherwise idle machine. The
# environments and random weights take about 12 GB below BENCH, and are kept there.
BENCH ?= build/bench
bench-encode: install
	$(PIP) -c constraints.txt matplotlib
	$(BIN)/python -m benchmarks.encode --scratch $(BENCH) $(BENCH_OPTIONS)
	$(BIN)/python -m benchmarks.encode.report

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev
install-base: $(VENV)-base/.installed
install-docs: $(VENV)-docs/.installed

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

INSTALLED := pyproject.toml constraints.txt integrations/*/pyproject.toml

$(VENV)/.installed: $(INSTALLED) | $(BIN)/python
	$(PIP) -c constraints.txt -e . $(ADAPTERS)
	touch $@

# torch is named: so that its version is the one of the constraints. By pip: of several builds of
# that version, the one that its settings lead to.
$(VENV)/.installed-dev: $(INSTALLED) | $(BIN)/python $(UV)
	$(PIP) -c constraints.txt torch
	$(call into,$(VENV)) -c constraints.txt torch -e ".[torch,dev]" $(ADAPTERS)
	touch $@ $(VENV)/.installed

$(VENV)-agreement-pylate/.installed: tests/agreement/pylate.txt constraints.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)-agreement-pylate
	$(VENV)-agreement-pylate/bin/pip install -q -c constraints.txt torch
	$(VENV)-agreement-pylate/bin/pip install -q -c constraints.txt -r $< -e .
	$(VENV)-agreement-pylate/bin/pip install -q --no-deps pylate==1.6.0
	touch $@

$(VENV)-agreement-st/.installed: tests/agreement/sentence_transformers.txt constraints.txt \
    pyproject.toml
	$(PYTHON) -m venv $(VENV)-agreement-st
	$(VENV)-agreement-st/bin/pip install -q -c constraints.txt torch
	$(VENV)-agreement-st/bin/pip install -q -c constraints.txt -r $< -e .
	touch $@

# What is skipped without npm.
$(VENV)-foreign-node/.installed: tests/foreign/environments/node/package.json
	mkdir -p $(VENV)-foreign-node
	cp $< $(VENV)-foreign-node
	! command -v npm >/dev/null || npm install --silent --ignore-scripts --no-audit --no-fund \
	    --prefix $(VENV)-foreign-node
	touch $@

# Nothing of this repository is installed there.
$(VENV)-foreign-%/.installed: tests/foreign/environments/%.txt | $(UV)
	$(PYTHON) -m venv $(VENV)-foreign-$*
	$(call into,$(VENV)-foreign-$*) -r $<
	touch $@

$(MINIMUM)/.installed: integrations/minimum.txt
	rm -rf $(MINIMUM)
	$(PIP) --no-deps --target $(MINIMUM) -r $<
	touch $@

$(VENV)-base/.installed: pyproject.toml | $(UV)
	$(PYTHON) -m venv $(VENV)-base
	$(call into,$(VENV)-base) -e . pytest pytest-asyncio pytest-xdist hypothesis
	touch $@

$(VENV)-browser/.installed: tests/browser/requirements.txt pyproject.toml | $(UV)
	$(PYTHON) -m venv $(VENV)-browser
	$(call into,$(VENV)-browser) -r $< -e ".[client,server]" -e integrations/langchain \
	    -e integrations/llama_index
	touch $@

$(VENV)-ray/.installed: tests/ray/requirements.txt pyproject.toml | $(UV)
	$(PYTHON) -m venv $(VENV)-ray
	$(call into,$(VENV)-ray) -r $< -e ".[ray]"
	touch $@

$(VENV)-uv/.installed:
	$(PYTHON) -m venv $(VENV)-uv
	$(VENV)-uv/bin/$(INSTALL) uv
	touch $@

# What is tested with is new: only the package's own lower bounds are.
$(VENV)-minimum/.installed: pyproject.toml
	$(OLDEST_PYTHON) -m venv $(VENV)-minimum
	$(VENV)-minimum/bin/$(INSTALL) uv
	$(VENV)-minimum/bin/uv pip install --quiet --python $(VENV)-minimum/bin/python \
	    --resolution lowest-direct -e ".[evaluation,mcp,pooling]"
	$(VENV)-minimum/bin/uv pip install --quiet --python $(VENV)-minimum/bin/python \
	    pytest pytest-asyncio pytest-xdist hypothesis
	touch $@

$(VENV)-build/.installed: pyproject.toml | $(UV)
	$(PYTHON) -m venv $(VENV)-build
	$(call into,$(VENV)-build) build "hatchling>=1.24" twine
	touch $@

$(VENV)-docs/.installed: docs/requirements.txt | $(UV)
	$(PYTHON) -m venv $(VENV)-docs
	$(call into,$(VENV)-docs) -r $<
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-base $(VENV)-browser $(VENV)-build $(VENV)-dist $(VENV)-docs \
	    $(VENV)-minimum $(MINIMUM) $(VENV)-ray $(VENV)-uv $(VENV)-agreement-* $(VENV)-foreign-* build dist site \
	    .pytest_cache .mypy_cache .ruff_cache .hypothesis
