# make fit    install here, in .venv, what is missing; then fit the demo scene
# make test   the same, then run the tests
# make core   rebuild the C++ core, for instance after installing a compiler
# Any of them also rebuilds the C++ core when core/ has changed. ARGS="..." is passed on.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

fit: $(INSTALLED)
	$(BIN)/recon fit --data demo --preset quick $(ARGS)

test: $(INSTALLED)
	$(BIN)/pytest $(ARGS)

core:
	rm -f $(INSTALLED)
	$(MAKE) $(INSTALLED)

$(INSTALLED): pyproject.toml setup.py constraints.txt $(wildcard core/* core/kernels/*)
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]' --constraint constraints.txt
	touch $@

clean:
	rm -rf .venv build *.egg-info recon/_core.*.so

.PHONY: fit test core clean
