# Everything runs in .venv, which is made with the first Python >= 3.12 that is found.

PYTHON ?= $(shell for p in python3.12 python3.13 python3.14 python3 python; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; \
	then command -v $$p; break; fi; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
READY_DOCS := $(VENV)/.ready-docs
WORKERS ?= 2

.PHONY: help demo test test-fast lint format bench tutorials check-tutorials check-package docs check-docs clean

help:
	@echo "make demo       analyse the memory experiment; figures and tables go to demo-output/"
	@echo "make test       every test"
	@echo "make test-fast  the tests that do not sample a posterior"
	@echo "make lint       ruff and mypy"
	@echo "make format     let ruff format the code"
	@echo "make tutorials  execute the notebooks anew, in place"
	@echo "make check-package  build the wheel, and use it in an environment of its own"
	@echo "make check-tutorials  compare what the notebooks print with what they show"
	@echo "make docs       build the site in build/site, from the repository alone"
	@echo "make check-docs build the site and look at it in Chromium"
	@echo "make bench      where the seconds of a fit go"

demo: $(READY)
	$(BIN)/bambi-anova demo --out demo-output --overwrite

test: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

test-fast: $(READY)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

tutorials: $(READY)
	$(BIN)/python tutorials/execute.py

check-tutorials: $(READY)
	$(BIN)/python tutorials/execute.py --check

docs: $(READY_DOCS)
	$(BIN)/python -m docs.generate
	$(BIN)/sphinx-build -q -W --keep-going -c docs -d build/doctrees . build/site
	@echo "build/site/index.html"

check-docs: docs
	$(BIN)/python docs/check.py

bench: $(READY)
	$(BIN)/python benchmarks/speed/nuts.py

# The wheel in an environment that has nothing else: the demo and the README's quick start.
check-package: $(READY)
	rm -rf build/wheel build/empty
	$(BIN)/python -m hatchling build -t wheel -d build/wheel
	$(BIN)/python -m venv build/empty
	build/empty/bin/python -m pip install --quiet --constraint constraints.txt build/wheel/*.whl
	cd build && empty/bin/bambi-anova demo --out demo-output --overwrite
	sed -n '/^```python/,/^```/{/^```/!p;};' README.md | sed '/^ba.compare_fits/q' > build/quick_start.py
	cd build && empty/bin/python quick_start.py

clean:
	rm -rf $(VENV) demo-output build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY_DOCS): $(READY)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	@touch $(READY_DOCS)

$(READY): pyproject.toml constraints.txt
ifeq ($(PYTHON),)
	@echo "bambi-anova needs Python 3.12 or newer, and none was found." >&2
	@echo "Install one, for example 'pyenv install 3.12', 'uv python install 3.12' or your" >&2
	@echo "system's python3.12 package with its venv module; or run 'make PYTHON=/path/to/python'." >&2
	@exit 1
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	@touch $(READY)
endif
