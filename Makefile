# make figures   all runs of a profile, then all notebooks in batch, figures and tables written
# make test      everything that CI checks
# make lab       JupyterLab at the first notebook
# make notebooks run the committed notebooks again and store their outputs
# Variables: PROFILE (quick, laptop, paper), DATASET, BACKBONE, DEVICE, WORKERS, PYTHON.

PYTHON   ?= python3
PROFILE  ?= quick
DATASET  ?=
BACKBONE ?=
DEVICE   ?= auto
WORKERS  ?=

VENV := .venv
BIN  := $(VENV)/bin
# notebooks that train nothing and time nothing: their outputs must come out the same again
STRICT = notebooks/01_data_preparation.ipynb
WHAT  = --profile $(PROFILE) --device $(DEVICE) \
        $(if $(DATASET),--dataset $(DATASET)) $(if $(BACKBONE),--backbone $(BACKBONE))

.DELETE_ON_ERROR:
.PHONY: figures test lint notebooks lab clean help

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/installed: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + \
		sys.version.split()[0] + "; name another with PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	@touch $@

figures: $(VENV)/installed
	$(BIN)/python -m casadv_lib grid $(WHAT) $(if $(WORKERS),--workers $(WORKERS))
	$(BIN)/python -m casadv_lib figures --profile $(PROFILE)
	$(BIN)/python -m casadv_lib.batch $(WHAT)

test: $(VENV)/installed lint
	OMP_NUM_THREADS=1 CI=1 $(BIN)/python -m pytest --nbval --nbval-cell-timeout=300 $(STRICT)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest

lint: $(VENV)/installed
	$(BIN)/ruff check .

notebooks: $(VENV)/installed
	$(BIN)/python -m casadv_lib.batch --refresh

lab: $(VENV)/installed
	$(BIN)/jupyter lab --ip 127.0.0.1 notebooks/00_start_here.ipynb

clean:
	rm -rf $(VENV) runs
