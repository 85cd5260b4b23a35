# The two commands of the README are `make demo` and `make test`.
# Each needs only Python >= 3.10, git and make; PYTHON=python3.12 chooses another interpreter.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# Most of what is installed is never imported: what is will be compiled then.
INSTALL := pip --disable-pip-version-check --quiet install --no-compile
PIP    := $(BIN)/$(INSTALL)
PYTEST := $(BIN)/python -m pytest
# Test processes side by side.
WORKERS ?= 2
PATHS  := lfm2_colbert_rag tests integrations recipes benchmarks
ADAPTERS := -e integrations/langchain -e integrations/llama_index

.PHONY: demo test test-core test-langchain test-llama-index test-adapters-min test-base test-crash \
        test-slow agreement agreement-pylate agreement-st \
        lint lint-ruff lint-core lint-langchain lint-llama-index format \
        bench bench-encode install install-dev install-base docs notebooks clean

demo: install
	$(BIN)/lfm2-colbert demo

test: install-dev test-core test-langchain test-llama-index test-adapters-min test-base

test-core:
	$(PYTEST) -q -n $(WORKERS) -m "not slow"

# What is worth running at every turn; all else is in `make test`.
.PHONY: test-fast
test-fast: install-dev
	$(PYTEST) -q -n $(WORKERS) --hypothesis-profile fast \
	    -m "not slow and not crash and not benchmark and not notebook and not subprocess"

LANGCHAIN   := -c integrations/langchain/pyproject.toml --rootdir integrations/langchain integrations/langchain/tests
LLAMA_INDEX := -c integrations/llama_index/pyproject.toml --rootdir integrations/llama_index integrations/llama_index/tests

test-langchain:
	$(PYTEST) -q -n $(WORKERS) $(LANGCHAIN)

test-llama-index:
	$(PYTEST) -q -n $(WORKERS) $(LLAMA_INDEX)

# The same tests with the oldest frameworks that the adapters' lower bounds allow, laid over the
# newest. -W: what these warn of is theirs.
MINIMUM := $(VENV)-adapters-min
OLDEST  := -W ignore::UserWarning -W ignore::DeprecationWarning
test-adapters-min: install-dev $(MINIMUM)/.installed
	PYTHONPATH=$(MINIMUM) $(PYTEST) -q -n $(WORKERS) $(OLDEST) $(LANGCHAIN)
	PYTHONPATH=$(MINIMUM) $(PYTEST) -q -n $(WORKERS) $(OLDEST) $(LLAMA_INDEX)

# What users get from `pip install lfm2-colbert-rag`: no torch anywhere.
test-base: install-base
	! $(VENV)-base/bin/python -c "import torch" 2>/dev/null
	$(VENV)-base/bin/python -m pytest -q -n $(WORKERS) tests/cli tests/test_install.py tests/test_public_surface.py \
	    tests/test_retriever.py tests/test_readme.py

test-crash: install-dev
	$(PYTEST) -q tests/crash

test-slow: install-dev
	$(PYTEST) -q -m slow

# Vectors against those of the two libraries that save such checkpoints. Their pins exclude one
# another, so each has an environment of its own. -W: their warnings are theirs.
agreement: agreement-pylate agreement-st

agreement-pylate: $(VENV)-agreement-pylate/.installed
	$(VENV)-agreement-pylate/bin/python -m pytest -q -W ignore tests/agreement/test_pylate.py

agreement-st: $(VENV)-agreement-st/.installed
	$(VENV)-agreement-st/bin/python -m pytest -q -W ignore \
	    tests/agreement/test_sentence_transformers.py

# `make -j 2 lint` looks at two of them side by side.
lint: lint-ruff lint-core lint-langchain lint-llama-index

lint-ruff: install-dev
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)

lint-core: install-dev
	$(BIN)/mypy

lint-langchain: install-dev
	cd integrations/langchain && ../../$(BIN)/mypy

lint-llama-index: install-dev
	cd integrations/llama_index && ../../$(BIN)/mypy

# The site, into site/. Nothing is fetched once its tools are installed.
docs: $(VENV)-docs/.installed
	$(VENV)-docs/bin/mkdocs build --strict

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

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

INSTALLED := pyproject.toml constraints.txt integrations/*/pyproject.toml

$(VENV)/.installed: $(INSTALLED) | $(BIN)/python
	$(PIP) -c constraints.txt -e . $(ADAPTERS)
	touch $@

# torch is named: so that its version is the one of the constraints.
$(VENV)/.installed-dev: $(INSTALLED) | $(BIN)/python
	$(PIP) -c constraints.txt torch -e ".[torch,dev]" $(ADAPTERS)
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

$(MINIMUM)/.installed: integrations/minimum.txt
	rm -rf $(MINIMUM)
	$(PIP) --no-deps --target $(MINIMUM) -r $<
	touch $@

$(VENV)-base/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)-base
	$(VENV)-base/bin/$(INSTALL) -e . pytest pytest-asyncio pytest-xdist hypothesis
	touch $@

$(VENV)-docs/.installed: docs/requirements.txt
	$(PYTHON) -m venv $(VENV)-docs
	$(VENV)-docs/bin/$(INSTALL) -r $<
	touch $@

clean:
	rm -rf $(VENV) $(VENV)-base $(VENV)-docs site $(MINIMUM) $(VENV)-agreement-* .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
