# Every target sets itself up.  What it needs beside Python 3.11 or 3.12 and make, it says.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' \
	&& { echo $$p; break; }; done)
UV := $(shell command -v uv 2>/dev/null || echo .cache/uv/bin/uv)
DEMO := .cache/demo
PYTEST := .venv/bin/python -m pytest -n auto --dist loadfile --no-loadscope-reorder
UNIT := not (browser or kafka or kubeconform or cluster or alertmanager or prometheus or fluentbit or s3 or mlflow or train or slow)

# The machine's authorities, among which a company's own may be, where it has any; uv and older pips bring theirs along.
AUTHORITIES := $(firstword $(SSL_CERT_FILE) $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
ifneq ($(AUTHORITIES),)
export UV_SYSTEM_CERTS ?= true
export UV_NATIVE_TLS ?= true
export PIP_CERT ?= $(AUTHORITIES)
endif

.PHONY: help ci image packages release-check publish nightly demo check test lint bench bundle platform chart chaos upgrade storm fuzz shipping

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18

.cache/uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is missing: install it (apt install python3), then try again" >&2; exit 2; }
	@$(PYTHON) -m venv .cache/uv || { echo "the venv module is missing: apt install python3-venv, then try again" >&2; exit 2; }
	@.cache/uv/bin/pip install --quiet --disable-pip-version-check uv

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is missing: install it (apt install python3), then try again" >&2; exit 2; }

.PHONY: env
env: python $(UV)
	@$(UV) sync --quiet --frozen --python $(PYTHON) --extra train --extra msk --extra s3 --extra sign --extra oidc --group dev

demo: python $(UV)  ## the main job on an embedded broker, with simulated faults; two minutes, no service to start
	@UV_PROJECT_ENVIRONMENT=$(DEMO) $(UV) sync --quiet --frozen --python $(PYTHON) --no-default-groups
	@$(DEMO)/bin/tocsin demo

check: env lint  ## lint, types, and unit tests: no service, no whole role, no network to train
	@$(PYTEST) -m "$(UNIT)" $(addprefix --ignore=tests/,contracts faults integration bench)

test: env lint  ## lint, types, and all tests with branch coverage
	@command -v java >/dev/null 2>&1 && command -v mvn >/dev/null 2>&1 || \
	echo "java and mvn are missing: tests on a real Apache Kafka are skipped (apt install openjdk-17-jre-headless maven)" >&2
	@$(PYTEST) --cov --cov-report=term:skip-covered --cov-report=xml

lint: env  ## ruff and mypy; shell, YAML, workflows and Dockerfile
	@.venv/bin/ruff check
	@.venv/bin/ruff format --check
	@.venv/bin/mypy
	@.venv/bin/shellcheck .ci/run tests/helm/build_api_server.sh
	@.venv/bin/yamllint --strict .github .yamllint.yaml compose.yaml helm
	@.venv/bin/hadolint Dockerfile
	@.venv/bin/zizmor --quiet --offline .github
	@.venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	@if command -v actionlint >/dev/null; then actionlint; fi

bench: env  ## benchmarks; each prints ratios, medians and spread
	@for bench in tests/bench/bench_*.py; do echo "== $$bench"; .venv/bin/python -m $$(echo $${bench%.py} | tr / .); done

bundle: env  ## remake the bundle that the demo runs on: three simulated days, then training (ten minutes)
	@.venv/bin/tocsin simulate --hours 72 --start 2026-03-02T00:00:00Z --seed 1 --out .cache/quiet-days.jsonl
	@.venv/bin/tocsin train .cache/quiet-days.jsonl --out stream/demo_bundle --seed 1

platform: env  ## remake the bundle that a worker without one begins with: a simulated day and the recorded cloud
	@.venv/bin/python -m training.platform_bundle tests/data/cloud/normal.jsonl.xz --out stream/platform_bundle

ci:  ## what CI runs: installs what tests need from outside, then make test (as root)
	@bash .ci/run

image:  ## build the serving image, and check that less than 500 MB are pulled (needs docker)
	@docker build --tag tocsin .
	@size=$$(docker save tocsin | gzip | wc -c); echo "$$((size / 1000000)) MB compressed"; test "$$size" -lt 500000000

packages: env  ## wheel, SBOM and chart into dist/ (needs helm)
	@$(MAKE) --no-print-directory release-check
	@$(UV) build --quiet --wheel --out-dir dist
	@$(UV) export --quiet --frozen --no-default-groups --format cyclonedx1.5 --output-file dist/tocsin-$(VERSION).cdx.json
	@helm package --destination dist helm/tocsin

VERSION ?= $(shell sed -n '0,/^version/s/^version = "\(.*\)"/\1/p' pyproject.toml)
release-check:  # project, chart and changelog have this version
	@grep -qx 'version = "$(VERSION)"' pyproject.toml || { echo "pyproject.toml has another version than $(VERSION)" >&2; exit 2; }
	@grep -qx 'version: $(VERSION)' helm/tocsin/Chart.yaml || { echo "Chart.yaml has another version than $(VERSION)" >&2; exit 2; }
	@grep -qx 'appVersion: $(VERSION)' helm/tocsin/Chart.yaml || { echo "Chart.yaml has another appVersion" >&2; exit 2; }

publish:  # push the chart to REGISTRY, and publish dist/ as a release with the changelog's section (needs gh and helm)
	@awk '/^## /{on = index($$0, "$(VERSION)") > 0; next} on' CHANGELOG.md > dist/notes.md
	@test -s dist/notes.md || { echo "CHANGELOG.md has no section for $(VERSION)" >&2; exit 2; }
	@echo "$$GH_TOKEN" | helm registry login ghcr.io --username "$$GH_ACTOR" --password-stdin
	@helm push dist/tocsin-$(VERSION).tgz oci://$(REGISTRY)
	@gh release create v$(VERSION) --draft --verify-tag --title v$(VERSION) --notes-file dist/notes.md dist/*.whl dist/*.json dist/*.tgz
	@gh release edit v$(VERSION) --draft=false

nightly:  # run TARGET and keep what it says in .cache/nightly
	@mkdir -p .cache/nightly
	@$(MAKE) --no-print-directory $(TARGET) 2>&1 | tee .cache/nightly/$(TARGET).txt

chart: env  ## remake what the Helm chart takes from settings, topics and values
	@.venv/bin/python -m tests.helm.generated

chaos: env  ## a million lines on Apache Kafka while workers are killed 20 times (ten minutes)
	@.venv/bin/python -m tests.faults.chaos

upgrade: env  ## workers of OLD (a commit, the one before by default) and of this version take turns on Apache Kafka (five minutes)
	@.venv/bin/python -m tests.faults.upgrade --old $(or $(OLD),HEAD~1)

storm: env  ## 500 incidents through failing services while delivery is killed 10 times (half an hour)
	@.venv/bin/python -m tests.faults.delivery

fuzz: env  ## hostile records through the decoder and through Apache Kafka
	@.venv/bin/python -m tests.faults.fuzz
	@.venv/bin/python -m tests.faults.fuzz_stream

shipping: env  ## Fluent Bit is killed and rotated while Apache Kafka is away (needs fluent-bit)
	@.venv/bin/python -m tests.integration.shipping
