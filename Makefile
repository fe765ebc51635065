# The only commands that a developer types. Each sets up .venv first where it is missing or out of date.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(wildcard native/*.hpp native/*.cpp)
READY := $(VENV)/.ready
READY_DEV := $(VENV)/.ready-dev

.PHONY: demo example docs test faults lint format bench quality sanitize wheel packaging clean

# Trains on the built-in text, the classic recipe and a minute of fluent; shows what each writes, side by side,
# and ends with the paths of the report.
demo: $(READY)
	$(BIN)/hornbook check
	rm -rf build/demo
	$(BIN)/hornbook train --out build/demo/classic
	$(BIN)/hornbook train --out build/demo/fluent --preset fluent --minutes 1
	$(BIN)/hornbook compare build/demo/classic build/demo/fluent --out build/demo/compare.html
	$(BIN)/hornbook report build/demo/classic --format all

# The committed example: the classic recipe on the built-in text, and its report.
example: $(READY)
	rm -rf build/example docs/example
	$(BIN)/hornbook train --quiet --out build/example
	$(BIN)/hornbook report build/example --format html
	$(BIN)/hornbook report build/example --format md
	mkdir -p docs/example
	cp build/example/report.html build/example/report.md build/example/report-*.svg docs/example

# The pages that are made from sources: of the cells, and of the trials of fluent, from their results.
docs: $(READY_DEV)
	$(BIN)/python docs/cells.py
	$(BIN)/python docs/fluent.py

test: $(READY_DEV)
	$(BIN)/pytest -n auto

# Kills, disks that fail, damaged files, in two minutes; with HORNBOOK_FAULTS=long 200 kills and all else at
# length. The fuzzers need atheris, which not every machine can have.
faults: $(READY_DEV)
	$(BIN)/pip install --quiet --disable-pip-version-check 'atheris>=2.3' || \
	  echo "note: atheris could not be installed; hypothesis looks for damage alone"
	$(BIN)/pytest -n 2 -m faults tests/faults

lint: $(READY_DEV)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/clang-format --dry-run --Werror $(NATIVE)

format: $(READY_DEV)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	$(BIN)/clang-format -i $(NATIVE)

bench: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[bench]"
	$(BIN)/python -m benchmarks

# What is learnt in minutes: preset fluent beside PyTorch, on the built-in text or on those in TEXTS (22 minutes
# for the first, 6 for each of the others), and the classic recipes, on the first of them or on NOVEL.
quality: $(READY)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[bench]"
	$(BIN)/python -m benchmarks.quality $(TEXTS) --minutes 1 15 --classic $(or $(NOVEL),$(firstword $(TEXTS)),-)

# The core with AddressSanitizer and UBSan, in an environment of its own, under the tests that call it: all
# levels that the processor has (others are not built), but not 4,437 symbols (they walk the paths of 200 for
# longer), nor the errors of exp, tanh and log, nor what hundreds of updates come to.
SAN := build/sanitize
SAN_LEVELS := baseline;avx2$(shell grep -q -w avx512f /proc/cpuinfo 2> /dev/null && echo ';avx512')
sanitize: export CXX := $(CXX)
sanitize: export HORNBOOK_REQUIRE_CORE = 1
sanitize: export LIBRARIES = $(shell $(CXX) -print-file-name=libasan.so) $(shell $(CXX) -print-file-name=libstdc++.so)
sanitize: export ASAN_OPTIONS = detect_leaks=0
sanitize: export UBSAN_OPTIONS = print_stacktrace=1
sanitize:
	$(PYTHON) -m venv $(SAN)
	$(SAN)/bin/pip install --quiet --disable-pip-version-check '.[test]' \
	  --config-settings=cmake.define.HORNBOOK_SANITIZE=ON --config-settings=build-dir=build/sanitized \
	  '--config-settings=cmake.define.HORNBOOK_LEVELS=$(SAN_LEVELS)'
	cd tests && LD_PRELOAD="$$LIBRARIES" ../$(SAN)/bin/python -m pytest -n auto \
	  -m 'not huge and not packaging' -k 'not 4437 and not bound and not loss_after' native engines/test_engine_*.py \
	  engines/test_mixed.py

wheel: $(VENV)/bin/python
	HORNBOOK_REQUIRE_CORE=1 $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

# Installs that wheel, and the source, where there is no compiler; fetches one from PyPI.
packaging: $(READY_DEV) wheel
	$(BIN)/pytest -m packaging tests/test_packaging.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

SOURCES := pyproject.toml native/CMakeLists.txt native/backend.py $(NATIVE) $(VENV)/bin/python

$(READY): $(SOURCES)
	@echo "setting up .venv: two minutes or more, for the core is compiled"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

# Both at once: each installation compiles the core anew.
$(READY_DEV): $(SOURCES)
	@echo "setting up .venv: two minutes or more, for the core is compiled"
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $(READY) $@

clean:
	rm -rf $(VENV) build dist
