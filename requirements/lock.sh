#!/usr/bin/env bash
# Writes the hash-locked requirements anew from pyproject.toml. Needs uv; run it by hand, commit the result.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() {
    uv pip compile pyproject.toml "$@" --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-annotate --no-header --quiet
}
lock --group build --output-file requirements/runtime.txt
lock --group build --extra research --output-file requirements/research.txt
lock --group build --group dev --extra research --output-file requirements/dev.txt
