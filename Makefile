# Front door only: every target is one line that calls cargo xtask.

build: ## build the programs as configured and link to them from src/ (the default)
	@cargo xtask build

check: ## run all tests, in both forms
	@cargo xtask test

functional: ## run the functional tests against the built programs
	@cargo xtask functional

tidy: ## check the project's own rules
	@cargo xtask tidy

install: ## copy the programs into the configured prefix; DESTDIR is put before it
	@DESTDIR='$(DESTDIR)' cargo xtask install

clean: ## remove what was built here; depends has its own
	@cargo clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\): ## /\1\t/p' Makefile

.PHONY: build check functional tidy install clean help
