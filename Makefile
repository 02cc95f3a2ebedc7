# Aftershock. `make help` says what there is. The first target that needs Python builds .venv; after that nothing here
# touches the network until pyproject.toml changes.

# The first of these that runs, is 3.11 or newer and can build virtual environments is taken: PYTHON=… names another.
PYTHON ?= python3.13 python3.12 python3.11 python3
# More for the tool behind a target: make test ARGS="-k raft".
ARGS ?=
# Random histories for each model and checker, in make sweep-checkers.
HISTORIES ?= 100000

venv := .venv
ready := $(venv)/ready
bin := $(venv)/bin

# An environment is whole once its stamp names this folder and its Python runs. A half-made, moved or orphaned one is
# built anew; one that is only older than pyproject.toml is brought up to date where it stands.
ifneq ($(shell $(bin)/python -c pass 2>/dev/null && cat $(ready) 2>/dev/null),$(CURDIR))
unfit := unfit
endif

.PHONY: help demo test lint verify verify-quick mutants sweep sweep-protocols sweep-checkers mutate bench compare docs clean python unfit
.DEFAULT_GOAL := help

help:
	@echo 'make demo    run a shipped scenario: Raft under fault, judged and drawn'
	@echo 'make test    the tests                     (ARGS="-k raft" narrows them)'
	@echo 'make lint    ruff, mypy --strict, import-linter'
	@echo 'make verify  all that guarantees.toml names, compared with guarantees.lock'
	@echo 'make verify-quick   a few seeds of each'
	@echo 'make mutants every broken protocol beside the one that it was made of, on 50 seeds'
	@echo 'make sweep   both of these, for hours:'
	@echo 'make sweep-protocols   random faults over 10,000 seeds of every safe mode; can be interrupted'
	@echo 'make sweep-checkers    checkers against brute force on 100,000 random histories of each model'
	@echo 'make mutate  every small fault in the checkers: each is noticed, or on record with its reason'
	@echo 'make bench   how fast it is, as a table'
	@echo 'make compare        all protocols side by side: benchmarks/protocols.md and its picture'
	@echo 'make docs    writes docs/scenarios.md and the pictures in docs/images again'
	@echo 'make clean   removes .venv and the caches; runs/ stays'

demo: $(ready)
	@$(bin)/aftershock run partition-leader $(ARGS)
	@echo 'aftershock is $(bin)/aftershock; to have it on the PATH: source $(bin)/activate'

test: $(ready)
	@$(bin)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint: $(ready)
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/lint-imports

verify: $(ready)
	@$(bin)/aftershock verify $(ARGS)

verify-quick: $(ready)
	@$(bin)/aftershock verify --profile quick $(ARGS)

mutants: $(ready)
	@$(bin)/aftershock run mutants --seeds 0-49 $(ARGS)

sweep: sweep-protocols sweep-checkers

sweep-protocols: $(ready)
	@$(bin)/python -m benchmarks.sweep $(ARGS)

mutate: $(ready)
	@$(bin)/python -m tests.mutation $(ARGS)

sweep-checkers: $(ready)
	@$(bin)/python -m tests.checkers.sweep --histories $(HISTORIES)
	@$(bin)/python -m tests.consistency.sweep --histories $(HISTORIES)

bench: $(ready)
	@$(bin)/python -m benchmarks.simulation $(ARGS)
	@$(bin)/python -m benchmarks.checkers
	@$(bin)/python -m benchmarks.workers

compare: $(ready)
	@$(bin)/python -m benchmarks.protocols --write $(ARGS)

docs: $(ready)
	@$(bin)/python -m docs.generate

clean:
	rm -rf $(venv) dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The Python that set-up takes; or, on stderr, the line to type when there is none.
can_run := import sys; sys.exit(sys.version_info < (3, 11))
can_build := import ensurepip, venv
define find_python
for python in $(PYTHON); do \
  if "$$python" -c '$(can_run)' 2>/dev/null; then \
    if "$$python" -c '$(can_build)' 2>/dev/null; then echo "$$python"; exit 0; fi; \
    bare=$${bare:-$$("$$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')}; \
  elif "$$python" -c pass 2>/dev/null; then \
    old=$${old:-$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')}; \
  fi; \
done; \
if [ -n "$$bare" ]; then \
  echo "Aftershock's set-up found $$bare, but it cannot build a virtual environment. Type:"; \
  echo "    sudo apt install $$bare-venv"; \
elif [ -n "$$old" ]; then \
  echo "Aftershock needs Python 3.11 or newer; the newest found is $$old. Type:"; \
  echo "    sudo apt install python3.11 python3.11-venv"; \
else \
  echo "Aftershock needs Python 3.11 or newer, and none was found. Type:"; \
  echo "    sudo apt install python3 python3-venv"; \
fi >&2; \
echo "Then run make again. (make PYTHON=/path/to/python3 … takes a Python from elsewhere.)" >&2; \
exit 1
endef

python:
	@$(find_python)

$(ready): pyproject.toml $(unfit)
	@set -e; \
	python=$$($(find_python)); \
	if [ -n "$(unfit)" ]; then \
	  echo "Setting up $(venv) with $$python: once, a minute or two …"; \
	  rm -rf $(venv); \
	  "$$python" -m venv $(venv); \
	else \
	  echo "pyproject.toml has changed: bringing $(venv) up to date …"; \
	  rm -f $(ready); \
	fi; \
	$(bin)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'; \
	echo '$(CURDIR)' > $(ready)
