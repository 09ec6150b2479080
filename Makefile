# The ways to do things here; each is a script, so that CI and people do the same.
.PHONY: serve test demo check clean

serve:  ## set up, then start broker, worker and API; Ctrl-C stops them (PORT=, DATA_DIR=)
	@scripts/serve

demo:  ## set up, score examples/ over HTTP, write out/
	@scripts/demo

test:  ## set up, then every check and test that needs no GPU
	@scripts/test

check:  ## formatting, lint, types, import rules
	@scripts/check

clean:  ## remove environments and what tests and demos have left
	rm -rf .venv build out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
