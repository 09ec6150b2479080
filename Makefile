# The ways to do things here; each is a script, so that CI and people do the same.
.PHONY: help serve demo train test training programs servers drills check clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

serve:  ## set up, then start broker, worker and API; Ctrl-C stops them (PORT=, DATA_DIR=)
	@scripts/serve

demo:  ## set up, score examples/ over HTTP, write out/
	@scripts/demo

train:  ## set up, then train a network, a small one on phantoms if not told otherwise (CONFIG=, DATA=, OUT=)
	@scripts/train

test:  ## set up, then every check and test that needs no GPU, but for those below
	@scripts/test

training:  ## the tests of training, export and evaluation, which compute for long
	@OMP_NUM_THREADS=1 scripts/run dev python -m pytest -m "training and not servers and not programs" -n logical --maxprocesses=3 --dist loadfile

programs:  ## the tests that start, stop and kill whole programs
	@OMP_NUM_THREADS=1 scripts/run dev python -m pytest -m "programs and not servers" -n logical --maxprocesses=3 --dist loadfile

servers:  ## the tests that need Orthanc, DCMTK and Chromium of Debian (scripts/install-servers)
	@scripts/run dev python -m pytest -m servers -n logical --maxprocesses=2 --dist loadfile

drills:  ## set up, then kill, cancel, starve and break running programs for about an hour, and print what came of it
	@scripts/run dev python -m tests.drills

check:  ## set up, then formatting, lint, types, import rules
	@scripts/check

clean:  ## remove environments and what tests and demos have left
	rm -rf .venv build out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
