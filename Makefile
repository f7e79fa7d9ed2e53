# Front door only: every target is one line that calls cargo xtask.

build: ## build the programs as configured and link to them from src/ (the default)
	@cargo xtask build

check: ## run all tests, in both forms
	@cargo xtask test

functional: ## run the functional tests against the built programs
	@cargo xtask functional

tidy: ## check the project's own rules
	@cargo xtask tidy

install: ## copy programs, library and schemas into the configured prefix; DESTDIR is put before it
	@DESTDIR='$(DESTDIR)' cargo xtask install

install-strip: ## the same, without what only debuggers need
	@DESTDIR='$(DESTDIR)' cargo xtask install --strip

uninstall: ## remove what install copies
	@DESTDIR='$(DESTDIR)' cargo xtask uninstall

clean: ## remove what was built here; depends has its own
	@cargo clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\): ## /\1\t/p' Makefile

.PHONY: build check functional tidy install install-strip uninstall clean help
