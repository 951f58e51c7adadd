# make figures   all runs of a profile, with the films' that the notebooks look at besides, then all
#                notebooks in batch, which find their runs made; figures and tables are written to
#                figures/made/<profile>/, which git ignores and which notebooks and commands then
#                read in place of the committed figures/<profile>/; those of a data set that is not
#                the profile's to figures/made/<profile>-<data set>/, beside them
# make refresh   the same, and what is committed is made of it: figures/quick/, the outputs of the
#                notebooks, their run times in the README; the README's words are changed by hand,
#                where its tests say so
# make paper     the same at the paper's scale on real data: a queue of many hours that can be stopped
#                and started again, and goes on from the tables in figures/paper/ on any machine
#                of the same kind (`python -m casadv_lib grid --help`), then tables and figures
# make test      what CI checks on every Python; it makes the figures besides
# make soak      the long checks, for once before a release: kills, fuzzing, a million users, all
#                notebooks in every way (about an hour)
# make verify    one stored run made again from nothing, compared to the last digit (a minute)
# make bench     all benchmarks, or those whose name begins with ONLY=...; nothing else should run
# make bench-table  their table and figure once more, from what is stored
# make bench-env the environments of the public implementations that `make bench` compares with
# make lab       JupyterLab at the first notebook; LAB holds more options for it
# make notebooks run the committed notebooks again and store their outputs, after a change of code
#                that no result depends on
# make lint      ruff alone
# make clean     .venv, runs and what was made go
# Variables: PROFILE (quick, laptop, paper, sampled, ce, gbce, bce64), DATASET (a name or a path;
# COLUMNS, SEPARATOR and MIN_COUNT say how a file is read), BACKBONE, DEVICE, WORKERS, STAGES,
# PYTHON, JOBS (test processes). CASADV_RUNS and CASADV_FIGURES name other folders than runs/ and
# figures/made/.

PYTHON   ?= python3
PROFILE  ?= quick
DATASET  ?=
BACKBONE ?=
DEVICE   ?= auto
WORKERS  ?=
STAGES   ?=
JOBS     ?= 2

VENV := .venv
BIN  := $(VENV)/bin
# notebooks that train nothing and time nothing: their outputs must come out the same again
STRICT = notebooks/01_data_preparation.ipynb
# of those that train or time something, the ones that share two runs between them: here
# only the cells tagged nbval-check-output are compared; `make soak` takes all notebooks
LAX   = $(foreach number,00 02 03,$(wildcard notebooks/$(number)_*.ipynb))
DATA  = --profile $(PROFILE) $(if $(DATASET),--dataset '$(DATASET)') \
        $(if $(COLUMNS),--columns '$(COLUMNS)') $(if $(SEPARATOR),--separator '$(SEPARATOR)') \
        $(if $(MIN_COUNT),--min-count $(MIN_COUNT))
WHAT  = $(DATA) --device $(DEVICE) $(if $(BACKBONE),--backbone $(BACKBONE))
MANY  = $(if $(WORKERS),--workers $(WORKERS))
# runs that notebooks look at besides those of the grid
FILMS = --profile films --set device=$(DEVICE)

.DELETE_ON_ERROR:
.PHONY: figures refresh paper test soak verify bench bench-env bench-table lint notebooks lab \
        clean help

help:
	@sed -n '/^PYTHON/q; s/^# //p' Makefile

$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + \
		sys.version.split()[0] + "; name another with PYTHON=...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps -e .
	@touch $@

figures: $(VENV)/installed
	$(BIN)/python -m casadv_lib grid $(WHAT) $(MANY) $(CHOOSE)
	$(BIN)/python -m casadv_lib figures $(DATA)
	$(BIN)/python -m casadv_lib run $(FILMS) --method adv_cas \
		$(if $(BACKBONE),--backbone $(BACKBONE))
	$(BIN)/python -m casadv_lib run $(FILMS) --backbone gru4rec
	$(BIN)/python -m casadv_lib notebooks $(WHAT) $(MANY)

# from nothing that was made before, and with the choices tried again
refresh: $(VENV)/installed
	rm -rf figures/made/quick figures/quick/ranks
	$(MAKE) figures CHOOSE=--choose
	mv figures/made/quick/*.* figures/made/quick/ranks figures/quick/
	$(BIN)/python tests/benchmarks/readme.py
	$(BIN)/python -m casadv_lib notebooks --refresh $(MANY)

# what was made is collected and drawn even if a job failed
paper: override PROFILE = paper
paper: $(VENV)/installed
	$(BIN)/python -m casadv_lib grid $(WHAT) $(MANY) $(if $(STAGES),--stages $(STAGES)); \
	made=$$?; $(BIN)/python -m casadv_lib figures $(DATA) && exit $$made

test: $(VENV)/installed lint
	OMP_NUM_THREADS=1 CI=1 $(BIN)/python -m pytest --nbval --nbval-cell-timeout=300 $(STRICT)
	OMP_NUM_THREADS=1 CI=1 $(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=600 $(LAX)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

soak: $(VENV)/installed
	OMP_NUM_THREADS=1 CI=1 $(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=600 \
		$(sort $(wildcard notebooks/[0-9]*.ipynb))
	OMP_NUM_THREADS=1 CI=1 $(BIN)/python -m pytest -m soak --durations=0 tests

BENCH = PYTHONPATH=.:tests $(BIN)/python -m benchmarks $(if $(filter-out auto,$(DEVICE)),--device $(DEVICE))
bench: $(VENV)/installed
	$(BENCH) $(if $(ONLY),--only $(ONLY))

bench-table: $(VENV)/installed
	$(BENCH) --table

bench-env: $(VENV)/recbole/installed $(VENV)/rectools/installed
$(VENV)/%/installed: tests/benchmarks/workers/requirements-%.txt $(VENV)/installed
	$(PYTHON) -m venv $(@D)
	$(@D)/bin/python -m pip install --disable-pip-version-check --quiet -r $<
	@touch $@

verify: $(VENV)/installed
	$(BIN)/python -m casadv_lib verify $(DATA) $(if $(BACKBONE),--backbone $(BACKBONE))

lint: $(VENV)/installed
	$(BIN)/ruff check .

notebooks: $(VENV)/installed
	$(BIN)/python -m casadv_lib notebooks --refresh $(MANY)

lab: $(VENV)/installed
	@if [ "$$(id -u)" = 0 ] && [ -z "$(LAB)" ]; then exec >&2; \
		echo "Jupyter starts as root only when told to: make lab LAB=--allow-root"; exit 1; fi
	$(BIN)/jupyter lab --ip 127.0.0.1 $(LAB) notebooks/00_start_here.ipynb

clean:
	rm -rf $(VENV) runs figures/made
