# make run    set up an environment, execute both notebooks into runs/
# make test   set up, then formatting, lint and all tests
PYTHON := .venv/bin/python
STAMP  := .venv/.ready

.PHONY: run test notebooks bench colab clean

run: $(STAMP)
	@$(PYTHON) -m hw9 run

test: $(STAMP)
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m pytest

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

clean:
	rm -rf .venv build runs
