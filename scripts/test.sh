#!/usr/bin/env bash
# Sets up a virtual environment and runs the tests in it. Arguments go to pytest.
#   scripts/test.sh                 all tests, on the ROS 2 that is sourced, or on Jazzy from PyPI
#   scripts/test.sh --ros kilted    on Kilted from PyPI, in an environment of its own
set -euo pipefail
if [ "${1:-}" = --ros ]; then
    export DIG2DIG_ROS="${2:-}"
    shift 2 || { echo "error: --ros takes jazzy or kilted" >&2; exit 2; }
fi
source "$(dirname "${BASH_SOURCE[0]}")/setup_venv.sh"
cd "$root"
say "ruff check"
ruff check .
say "pytest $*"
exec python -m pytest "$@"
