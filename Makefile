# The doors of the house. Each target is one script, which says what it does.
.PHONY: help demo demo-down test lint bench images

help:
	@echo "make demo        install what is missing, build, bring the TOTEM fleet up, change it, show a bad release going back"
	@echo "make demo-down   remove all of that"
	@echo "make test        all tests, the real engine included"
	@echo "make lint        format and clippy, as CI runs them"
	@echo "make bench       one table of measurements"
	@echo "make images      the images of the example and of the tests"

demo:
	@scripts/demo

demo-down:
	@scripts/demo down

test:
	@scripts/test

lint:
	@scripts/lint

bench:
	@scripts/bench

images:
	@scripts/install engine images
	@scripts/images
