# make run    set up an environment, execute both notebooks into runs/
# make test   set up, then formatting, lint and all tests (two processes of one thread are quicker than one of two)
PYTHON := .venv/bin/python
STAMP  := .venv/.ready
# Many containers set it; every start of Python then compiles torch and transformers anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test notebooks bench colab clean

run: $(STAMP)
	@$(PYTHON) -m hw9 run

test: $(STAMP)
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

notebooks: $(STAMP)
	@$(PYTHON) -m hw9 notebooks

bench: $(STAMP)
	@$(PYTHON) -m benchmarks

colab: $(STAMP)
	@$(PYTHON) -m hw9 colab

# Set up again only when the lock changes.
$(STAMP): requirements.lock tools/setup_env.sh
	@sh tools/setup_env.sh .venv requirements.lock
	@touch $@

# runs/ stays: students' answers and hand-ins lie there.
clean:
	rm -rf .venv build
