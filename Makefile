# make fit    install here, in .venv, what is missing; then fit the demo scene
# make test   the same, then run the tests
# make core   rebuild the C++ core, for instance after installing a compiler
# make sanitize   run the core's tests on a copy of it that checks addresses and undefined behaviour
# Any of the first three also rebuilds the C++ core when core/ has changed. ARGS="..." is passed on.

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

SANITIZED := build/sanitized
CHECKS := -fsanitize=address,undefined -fno-omit-frame-pointer -D_GLIBCXX_ASSERTIONS

sanitize: $(INSTALLED)
	mkdir -p $(SANITIZED)
	printf '[build]\nbuild_base = $(SANITIZED)/objects\n' > $(SANITIZED)/build.cfg
	CFLAGS="$(CHECKS)" CXXFLAGS="$(CHECKS)" LDFLAGS="$(CHECKS)" DIST_EXTRA_CONFIG=$(SANITIZED)/build.cfg \
		$(BIN)/pip install --quiet --upgrade --no-deps --target $(SANITIZED)/packages .
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=halt_on_error=1 PYTHONMALLOC=malloc \
		PYTHONPATH=$(SANITIZED)/packages $(BIN)/pytest tests/test_native.py \
		tests/test_native_gradients.py tests/test_photometric.py tests/test_optimizer.py $(ARGS)

clean:
	rm -rf .venv build *.egg-info recon/_core.*.so

.PHONY: fit test core sanitize clean
