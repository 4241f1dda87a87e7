# `make run` and `make test` need make, Python 3.11 or later and its venv module; the rest they install themselves.

PYTHON ?= python3
TRIALS ?= 1000
CASES ?= 20000
PACKAGES ?= dist
MINUTES ?= 30
OUTAGES ?= 200
WORKERS ?= 6
CANARY_VERSIONS ?= lowest-direct highest
CANARY_TESTS ?= tests/web/server tests/web/api/test_events.py tests/web/api/test_status.py \
  tests/web/api/test_classify_upload.py tests/attacks/test_slow.py \
  tests/inbox/test_watch.py tests/inbox/test_watch_tree.py tests/photo/test_decode.py tests/commands/test_tables.py
PYTHONS ?= $(wildcard $(foreach minor,11 12 13 14 15,/usr/bin/python3.$(minor) /usr/local/bin/python3.$(minor) \
  $(HOME)/.pyenv/versions/3.$(minor).*/bin/python3.$(minor)))
PYTHONS_TESTS ?= tests/daemon tests/inbox tests/ledger tests/pipeline tests/system tests/web --ignore tests/web/browser

RUN := .venv
DEV := .venv-dev
OTHER := .venv-tflite-runtime
TRAIN := .venv-train
BENCH := .venv-bench
CANARY := .venv-canary
OF_PYTHONS := .venv-pythons
HOME_ASSISTANT := .venv-home-assistant
PIP := -m pip --disable-pip-version-check install --quiet

# Hundreds of daemons and commands start in the tests, and each would compile all of its code again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run train-env test test-again home-assistant canary pythons trixie crash fuzz soak outages push mutants layers backlog hardening coverage wheels arm archive bench bench-archive pages pictures readme-pictures lint types format deb image clean check-python

help:
	@echo "make run    start dogid on ./inbox and print its address (INBOX=..., PORT=..., CONFIG=FILE: by its settings)"
	@echo "make train-env  install what training needs (TensorFlow) into $(TRAIN): for a PC, not for the device"
	@echo "make test   run the whole test suite in several processes (TESTS=tests/inbox: a part, WORKERS=0: in one)"
	@echo "make crash TRIALS=1000, make fuzz CASES=20000, make backlog, make hardening: the long forms of some tests"
	@echo "make soak MINUTES=30: a daemon in steady use, compared with bookkeeping of its own"
	@echo "make outages OUTAGES=200: outputs, whose receivers and daemon are killed at random, counted on the other side"
	@echo "make push: boards with little memory and large photos, and what else pushes the daemon (PARTS=board600: a part)"
	@echo "make mutants: do tests notice changes of the code? (SUITES=\"ledger photo\": only these)"
	@echo "make canary: the daemon with the oldest and with the newest dependencies that pyproject.toml allows"
	@echo "make home-assistant: our discovery documents by Home Assistant's own schemas (Python 3.11 or 3.12)"
	@echo "make layers: rooms, layers and imports of the code"
	@echo "make coverage: the branches that the tests run through, by package"
	@echo "make bench: the daemon against the bare limit and others, in about ten minutes (QUICK=1: roughly, in less)"
	@echo "make bench-archive: an archive by each engine, and by other programs' own ways"
	@echo "make archive: kills on a Ray cluster; 20,000 photos on Ray against the daemon; the memory that a million entries take (QUICK=1: a bucket)"
	@echo "make wheels: is there a wheel of every dependency for each Python and processor? and the arm64 package"
	@echo "make arm    run the arm64 package on an emulated processor (root, qemu-user-static, mmdebstrap)"
	@echo "make trixie: the package, the service and the daemon's tests on a Debian 13 with its own systemd (QUICK=1: a part)"
	@echo "make pythons: the daemon's tests with each Python from 3.11 on that is found here (PYTHONS=python3.13: with it)"
	@echo "make deb    build the Debian package for this machine into $(PACKAGES)/ (DIST=trixie, ARCH=arm64: for another)"
	@echo "make image  build a container image into $(PACKAGES)/, without a container engine (root, mmdebstrap, umoci)"
	@echo "make pages: the manual page and the table of settings, from the code's own lists"
	@echo "make pictures TO=FOLDER: all views of the page at five widths, light and dark; make readme-pictures: those in tests/web/browser/readme"
	@echo "make lint types format clean"

run: $(RUN)/.installed
	@exec $(RUN)/bin/dogid run $(if $(CONFIG),--config "$(CONFIG)") $(if $(INBOX),--inbox "$(INBOX)") \
	  $(if $(PORT),--port "$(PORT)")

train-env: $(TRAIN)/.installed
	@echo "Next: . $(TRAIN)/bin/activate && dogid train PHOTOS -o mine.tflite"

# A test that hangs ends its process with the stacks of all threads, and the run with what was found until then.
test: $(DEV)/.installed $(OTHER)/.installed
	$(DEV)/bin/python -m pytest -n $(WORKERS) --max-worker-restart 0 --timeout-method thread $(TESTS)

# For CI alone: up to three failed tests of the last run once more, one after the other.
test-again: $(DEV)/.installed
	$(DEV)/bin/python -m tests.support.second_try

crash: $(DEV)/.installed
	$(DEV)/bin/python -m tests.crash.harness --trials $(TRIALS)

fuzz: $(DEV)/.installed
	$(DEV)/bin/python -W ignore -m tests.photo.fuzz --cases $(CASES)
	$(DEV)/bin/python -m pytest -m long tests/web/api/test_schemathesis.py

soak: $(DEV)/.installed
	$(DEV)/bin/python -m tests.soak.harness --minutes $(MINUTES)

outages: $(DEV)/.installed
	$(DEV)/bin/python -m tests.outputs.harness --outages $(OUTAGES)

push: $(DEV)/.installed
	$(DEV)/bin/python -m tests.push $(PARTS)

mutants: $(DEV)/.mutants
	$(DEV)/bin/python -m tests.mutants.run $(SUITES)

# Resolved anew each time: a release of a dependency that breaks the daemon is to be found here, and a lower bound that
# is too low. Only what the daemon needs is installed, so that these tests take seconds to set up.
canary: check-python
	@$(PYTHON) -m venv --clear $(CANARY)
	@$(CANARY)/bin/python $(PIP) uv
	@set -e; for resolution in $(CANARY_VERSIONS); do \
	  home=$(CANARY)/$$resolution; install="$(CANARY)/bin/uv pip install --system-certs --quiet --python $$home/bin/python"; \
	  $(CANARY)/bin/uv venv --quiet --python $(PYTHON) $$home; \
	  $$install --resolution $$resolution --editable .; \
	  $$install pytest pytest-timeout pytest-xdist; \
	  echo "with the $$resolution versions:"; $(CANARY)/bin/uv pip list --quiet --python $$home/bin/python \
	    | grep -E "^(ai-edge-litert|flask|numpy|pillow|prometheus-client|rich|waitress|watchdog) "; \
	  $$home/bin/python -m pytest -n $(WORKERS) $(CANARY_TESTS); \
	done

# One environment for each version; of several Pythons of a version, the first. What fails does not end the others.
pythons: check-python
	@$(PYTHON) -m venv --clear $(OF_PYTHONS)
	@$(OF_PYTHONS)/bin/python $(PIP) uv
	@failed=; found=; for python in $(PYTHONS); do \
	  version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])') || { failed="$$failed $$python"; continue; }; \
	  case " $$found " in *" $$version "*) continue ;; esac; found="$$found $$version"; \
	  home=$(OF_PYTHONS)/$$version; echo "with Python $$version ($$python):"; \
	  $(OF_PYTHONS)/bin/uv venv --quiet --python $$python $$home && \
	  $(OF_PYTHONS)/bin/uv pip install --system-certs --quiet --only-binary :all: --no-binary dogid \
	    --python $$home/bin/python --editable '.[daemon-test]' && \
	  PYTHONPATH=daemon:convert $$home/bin/python -m pytest -n $(WORKERS) $(PYTHONS_TESTS) || failed="$$failed $$version"; \
	done; [ -n "$$found" ] || { echo "no Python of $(PYTHONS) runs" >&2; exit 2; }; \
	[ -z "$$failed" ] || { echo "failed with Python:$$failed" >&2; exit 1; }

trixie: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -m long --durations 5 tests/service/trixie/$(if $(QUICK),test_package.py)

home-assistant: $(HOME_ASSISTANT)/.installed
	@if [ -x $(HOME_ASSISTANT)/bin/python ]; then \
	  PYTHONPATH=daemon $(HOME_ASSISTANT)/bin/python -m tests.outputs.mqtt.home_assistant_check; fi

layers: $(DEV)/.installed
	$(DEV)/bin/python -m tests.test_layers

backlog: $(DEV)/.installed
	$(DEV)/bin/python -m tests.benchmarks.backlog
	$(DEV)/bin/python -m tests.benchmarks.ledger_cost
	$(DEV)/bin/python -m tests.benchmarks.export_cost
	$(DEV)/bin/python -m pytest -m long tests/inbox/test_watch.py

# Branches that tests run through, in the tests' own processes and in the daemons and commands that they start.
# The report is printed where tests fail, too; the target fails then.
coverage: $(DEV)/.installed $(OTHER)/.installed
	rm -rf .coverage && mkdir .coverage
	status=0; $(DEV)/bin/coverage run -m pytest -n $(WORKERS) --timeout 900 $(TESTS) || status=$$?; \
	  $(if $(TESTS),,$(DEV)/bin/coverage run -m pytest -m long tests/archive -k bucket || status=$$?;) \
	  $(DEV)/bin/coverage combine --quiet && $(DEV)/bin/coverage json --quiet -o .coverage/report.json && \
	  $(DEV)/bin/python -m tests.support.coverage_report .coverage/report.json && exit $$status

hardening: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -m "long or not long" tests/service/test_hardening.py

wheels: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -rs -m long -k "not emulated" tests/test_wheels.py tests/service/test_arm.py

arm: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -rs -m "long or not long" tests/service/test_arm.py

bench: $(BENCH)/.installed
	$(BENCH)/bin/python -m tests.benchmarks.suite $(if $(QUICK),--quick) --json bench.json --charts tests/benchmarks/charts

# all views of the page in all sizes, to be looked at
pictures: $(DEV)/.installed
	$(DEV)/bin/python -m tests.web.browser.pictures $(or $(TO),/tmp/dogid-pictures)

# small pictures of all views, on a desk and on a phone, with free photos: those of the README are among them
readme-pictures: $(DEV)/.installed
	$(DEV)/bin/python -m tests.web.browser.readme_pictures

bench-archive: $(BENCH)/.installed
	$(BENCH)/bin/python -m tests.benchmarks.archive

archive: $(DEV)/.installed
	$(DEV)/bin/python -m pytest -m long -s tests/archive $(if $(QUICK),-k bucket)

lint: $(DEV)/.installed
	$(DEV)/bin/ruff check .
	$(DEV)/bin/ruff format --check .

types: $(DEV)/.installed
	$(DEV)/bin/mypy daemon convert tests

format: $(DEV)/.installed
	$(DEV)/bin/ruff check --fix .
	$(DEV)/bin/ruff format .

pages: $(RUN)/.installed
	PYTHONPATH=daemon:convert $(RUN)/bin/python daemon/make_pages.py

deb: $(RUN)/.installed
	@PYTHON=$(RUN)/bin/python systemd/deb/build.sh "$(PACKAGES)" "$(ARCH)" "$(DIST)"

# As root: the files in the image belong to root.
image: $(RUN)/.installed
	@PYTHON=$(RUN)/bin/python systemd/image/build.sh "$(PACKAGES)" $(ARCH)

clean:
	rm -rf $(RUN) $(TRAIN) $(DEV) $(OTHER) $(BENCH) $(CANARY) $(OF_PYTHONS) $(HOME_ASSISTANT) .pytest_cache .mypy_cache .ruff_cache .coverage

$(RUN)/.installed: pyproject.toml | check-python
	@echo "Installing dogid into $(RUN): once, about 200 MB ..."
	@$(PYTHON) -m venv --clear $(RUN)
	@$(RUN)/bin/python $(PIP) --editable .
	@touch $@

$(DEV)/.installed: pyproject.toml | check-python
	@echo "Installing dogid, TensorFlow and the test tools into $(DEV): once, about 3 GB ..."
	@$(PYTHON) -m venv --clear $(DEV)
	@$(DEV)/bin/python $(PIP) --editable '.[lint]'
	@touch $@

$(TRAIN)/.installed: pyproject.toml | check-python
	@echo "Installing dogid and TensorFlow into $(TRAIN): once, about 2.5 GB ..."
	@$(PYTHON) -m venv --clear $(TRAIN)
	@$(TRAIN)/bin/python $(PIP) --editable '.[convert]'
	@touch $@

$(DEV)/.mutants: $(DEV)/.installed
	@$(DEV)/bin/python $(PIP) --editable '.[mutants]'
	@touch $@

$(BENCH)/.installed: pyproject.toml | check-python
	@echo "Installing dogid and the peers that it is compared with into $(BENCH): once, about 3 GB ..."
	@$(PYTHON) -m venv --clear $(BENCH)
	@$(BENCH)/bin/python $(PIP) --editable '.[bench]'
	@touch $@

# The other interpreter needs numpy 1, so it lives apart. It has no wheel for Python 3.12 and later: its tests skip then.
$(OTHER)/.installed: pyproject.toml | check-python
	@$(PYTHON) -m venv --clear $(OTHER)
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))'; then \
	  echo "tflite-runtime has no wheel for Python 3.12 and later: its tests will be skipped"; \
	else \
	  echo "Installing dogid with tflite-runtime into $(OTHER): once, about 250 MB ..."; \
	  $(OTHER)/bin/python $(PIP) --editable '.[tflite-runtime]'; \
	fi
	@touch $@

# Its own environment: it pins other versions than ours of nearly everything, for Python 3.11 and 3.12.
$(HOME_ASSISTANT)/.installed: tests/outputs/mqtt/home_assistant_requirements.txt | check-python
	@mkdir -p $(HOME_ASSISTANT)
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then \
	  echo "Home Assistant 2024.3 has no wheels for Python 3.13 and later: nothing is checked"; \
	else \
	  echo "Installing Home Assistant's schemas into $(HOME_ASSISTANT): once, about 300 MB ..."; \
	  $(PYTHON) -m venv --clear $(HOME_ASSISTANT) && $(HOME_ASSISTANT)/bin/python $(PIP) uv && \
	  $(HOME_ASSISTANT)/bin/uv pip install --system-certs --quiet --no-deps --python $(HOME_ASSISTANT)/bin/python \
	    --requirement tests/outputs/mqtt/home_assistant_requirements.txt; \
	fi
	@touch $@

check-python:
	@command -v $(PYTHON) >/dev/null || { \
	  echo "Python is missing. Install it: sudo apt install python3 python3-venv" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is older than Python 3.11. Name a newer one: make PYTHON=python3.12 ..." >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "Python's venv module is missing. Install it: sudo apt install python3-venv" >&2; exit 2; }
