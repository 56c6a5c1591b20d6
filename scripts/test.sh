#!/usr/bin/env bash
# Sets up a virtual environment and runs the tests in it. Arguments go to pytest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
cd "$root"
say "ruff check"
ruff check .
say "pytest $*"
exec python -m pytest "$@"
