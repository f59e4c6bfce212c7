# What people and CI both run: make check, make test, make docs. make long for what trains; make demo for a first look.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV_DEMO := .venv-demo
VENV_TEST := .venv-test
PURE := src/shortlist/core/*,src/shortlist/formats/*,src/shortlist/schedules/*,src/shortlist/readouts/*,src/shortlist/prompts/*,src/shortlist/measures/*,src/shortlist/fuse.py,src/shortlist/pipeline.py,src/shortlist/drive/*

.PHONY: demo test long check docs clean

demo:  ## New virtual environment, install, and the main job on the collection inside the package.
	$(PYTHON) -m venv $(VENV_DEMO)
	$(VENV_DEMO)/bin/python -m pip install --quiet --disable-pip-version-check .
	$(VENV_DEMO)/bin/shortlist demo

test: $(VENV_TEST)/installed  ## New virtual environment, CPU torch, the checks and all tests but the long ones.
	$(MAKE) check BIN=$(VENV_TEST)/bin/
	$(VENV_TEST)/bin/python -m pytest -q -n 2 -m "not long" --cov --cov-report= tests src/shortlist
	$(VENV_TEST)/bin/python -m coverage report --include="$(PURE)" --fail-under=95 --skip-covered

long: $(VENV_TEST)/installed  ## What papers claim of losses, and reinforcement: ten minutes that make test leaves out.
	$(VENV_TEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[rl]"
	$(VENV_TEST)/bin/python -m pytest -q -n 2 tests/effects tests/losses tests/train

# torch goes first and alone: anything that asks for it later would bring several gigabytes of CUDA packages.
$(VENV_TEST)/installed: pyproject.toml constraints.txt
	rm -rf $(VENV_TEST)
	$(PYTHON) -m venv $(VENV_TEST)
	$(VENV_TEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(TORCH)
	$(VENV_TEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[local,openvino,eval,gliclass,test,dev]"
	touch $@

check:  ## Style, types, layers, cycles, import weight. BIN: where the tools are.
	$(BIN)ruff check src tests benchmarks tools
	$(BIN)ruff format --check src tests benchmarks tools
	$(BIN)mypy
	$(BIN)python -m pytest -q -p no:cacheprovider tests/test_layers.py

docs:  ## The documentation site into site/; a broken link is an error.
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	.venv-docs/bin/mkdocs build --strict

clean:
	rm -rf .venv-* build dist site *.egg-info .coverage .pytest_cache .mypy_cache .ruff_cache
