# The project's commands. STACK=onedl takes the maintained forks, DEVICE=cpu|cuda overrides what is found.
STACK ?= openmmlab
DEVICE ?= auto
VENV := .venv$(if $(filter-out openmmlab,$(STACK)),-$(STACK))
RUN := $(VENV)/bin/python

# Threads that wait must sleep: spinning ones slow a busy machine five- to tenfold.
export OMP_WAIT_POLICY ?= PASSIVE
# Where it is set, each command would compile its two hundred files anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test lint parity zoo bench bench-data bench-search soak cluster lock clean

help:  ## Say what there is (this).
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20
	@echo "STACK=onedl: the maintained forks, in .venv-onedl.  DEVICE=cpu or cuda: what torch runs on."

setup:  ## Make the virtual environment (some minutes; later runs are instant).
	@python="$$(PYTHON='$(PYTHON)' sh scripts/python311.sh)" || exit 2; \
	"$$python" scripts/install.py $(STACK) --venv $(VENV) --device $(DEVICE)

quickstart: setup  ## Train a tree detector on aerial photographs and show what it finds.
	@$(RUN) -m model_def data quickstart
	@$(RUN) -m model_def train experiments/quickstart.yaml

test: lint  ## Lint, check the types and run all tests.
	@PYTHONHASHSEED=0 $(RUN) -m pytest -n logical --maxprocesses 4 --dist loadfile $(PYTEST_ARGS)

lint: setup  ## Check the style and the types.
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy --strict model_def scripts/*.py

parity: setup  ## Compare every config of mmdet's zoo with stock mmengine (ONLY=retinanet for some; FRESH=1 anew).
	@PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(RUN) -m tests.parity $(if $(ONLY),ONLY=$(ONLY)) $(if $(FRESH),FRESH=$(FRESH))

zoo: setup  ## Check every config of mmdet's zoo as an experiment, with its own and with other classes (ONLY=, FRESH=1).
	@PYTHONHASHSEED=0 OMP_NUM_THREADS=1 $(RUN) -m tests.zoo $(if $(ONLY),ONLY=$(ONLY)) $(if $(FRESH),FRESH=$(FRESH))

bench: setup  ## Compare our costs with stock mmengine's: training, evaluation, resuming (DEVICE=cuda on a GPU).
	@$(RUN) -m model_def data quickstart
	@DEVICE=$(DEVICE) $(RUN) -m benchmarks.step
	@$(RUN) -m benchmarks.evaluation
	@$(RUN) -m benchmarks.resume

bench-data: setup  ## Compare images per second from a store at 20 ms with the local disk and with others (15 minutes).
	@$(RUN) -m benchmarks.data

bench-search: setup  ## Compare the batches that adaptive_asha trains with random search's (wants ray, minutes).
	@$(RUN) -m model_def data digits
	@$(RUN) -m benchmarks.search

soak: setup  ## Kill trainings and readers, read through a bad network: the same numbers, no wrong byte.
	@PYTHONHASHSEED=0 KILLS=100 $(RUN) -m pytest tests/integration/test_kill.py
	@KILLS=200 $(RUN) -m pytest tests/integration/test_storage_cache_killed.py
	@PYTHONHASHSEED=0 CLOUD=all $(RUN) -m pytest tests/integration/test_cloud.py
	@READS=100000 $(RUN) -m pytest tests/integration/test_storage_soak.py
	@PYTHONHASHSEED=0 CLUSTER=all $(RUN) -m pytest tests/integration/test_cluster_*.py tests/integration/test_watching_runs.py

cluster: setup  ## Run a stand-in for a Determined cluster on this machine, for `det` (until Ctrl-C).
	@$(RUN) -m tests.cluster

lock: setup  ## Resolve the lock file of STACK anew from pyproject.toml.
	@$(RUN) scripts/lock.py $(STACK)

clean:  ## Remove the virtual environments and the tools' caches; results and downloads stay.
	rm -rf .venv .venv-onedl .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
