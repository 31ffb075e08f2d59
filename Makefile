# Everything starts from nothing but python3.11 and make: each target builds .venv first where it has to.
PYTHON ?= python3.11
BIN := .venv/bin
UV_VERSION := 0.13.8

# GPU=1 takes the lock with CUDA; an environment that has it once stays with it.
GPU ?= $(if $(wildcard .venv/.installed-gpu),1,)
KIND := $(if $(filter 1,$(GPU)),gpu,cpu)
LOCK := $(if $(filter 1,$(GPU)),requirements-gpu.lock,requirements.lock)
STAMP := .venv/.installed-$(KIND)

# Processes that share the tests, a file at a time; each may take 3 GB.
WORKERS ?= 2

.PHONY: install demo test check docs speed pytorch lock clean
.DEFAULT_GOAL := install

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/evenhand run digits --output runs/demo

test: check
	$(BIN)/pytest -m "not slow" --ignore tests/test_imports.py --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy evenhand
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q tests/test_imports.py

# The tables in docs/results; DATA is a folder with fashion_mnist.npz and sign_language_digits.
docs: $(STAMP)
	$(BIN)/python -m benchmarks.published_runs demo $(if $(DATA),fashion-mnist sign-language-digits --data $(DATA))

# The tables in docs/performance.md, in about an hour; the machine should do nothing else meanwhile. That of ingestion
# needs DATA, a folder with fashion_mnist.npz.
speed: $(STAMP) pytorch
	$(BIN)/python -m benchmarks.versus_pytorch cnn --write
	$(BIN)/python -m benchmarks.versus_pytorch reacgan --write
	$(if $(DATA),$(BIN)/python -m benchmarks.ingestion $(DATA)/fashion_mnist.npz --write)
	$(BIN)/python -m benchmarks.input_pipeline --write
	$(BIN)/python -m benchmarks.classifier_training --write
	$(BIN)/python -m benchmarks.hardware_limit --write
	$(BIN)/python -m benchmarks.synthesis --write
	$(BIN)/python -m benchmarks.serving --write
	$(BIN)/python -m benchmarks.pipeline_overhead --write
	$(BIN)/python -m benchmarks.growth --write

# PyTorch is nothing that evenhand needs: benchmarks compare with it, in an environment of its own.
pytorch: .venv-pytorch/.installed

.venv-pytorch/.installed: benchmarks/requirements-pytorch.txt
	$(PYTHON) -m venv .venv-pytorch
	.venv-pytorch/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Installing is two steps that redo only what changed: what evenhand stands on, then evenhand itself.
# Everything is compiled to bytecode, also where PYTHONDONTWRITEBYTECODE is set: TFX then starts in a third of the time.
$(STAMP): .venv/.locked-$(KIND) pyproject.toml setup.py
	$(BIN)/python -m pip install --quiet --no-index --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q evenhand
	touch $@

# uv is quicker, pip knows the mirrors that are set for pip: where uv cannot reach its index, pip does the same work.
.venv/.locked-$(KIND): $(LOCK) $(BIN)/uv
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes --no-deps --compile-bytecode -r $(LOCK) \
	  || $(BIN)/python -m pip install --require-hashes --no-deps --compile -r $(LOCK)
	touch $@

$(BIN)/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	touch $@

# `make lock` keeps the versions that still fit; delete a lock to get the newest of everything.
COMPILE := $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

lock: $(BIN)/uv
	$(COMPILE) --override overrides.txt requirements.in requirements-pose.in requirements-test.in -o requirements.lock
	sed 's/^tensorflow==/tensorflow[and-cuda]==/' overrides.txt > .venv/overrides-gpu.txt
	cp requirements.lock requirements-gpu.lock
	$(COMPILE) --override .venv/overrides-gpu.txt requirements.in requirements-pose.in requirements-test.in -o requirements-gpu.lock

clean:
	rm -rf .venv .venv-pytorch build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find evenhand tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
