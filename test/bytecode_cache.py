"""Keeps bytecode in .pytest_cache where none may be written beside the sources.

PYTHONDONTWRITEBYTECODE, which containers like to set, and pip's --no-compile, which
scripts/setup_venv.sh gives, together have every process compile all that it imports: torch alone
takes twice its time, and the tests start some hundred processes. Imported before torch is.
"""

import os
import sys
from pathlib import Path

if sys.dont_write_bytecode:
    sys.dont_write_bytecode = False
    if sys.pycache_prefix is None:
        sys.pycache_prefix = str(Path(__file__).parents[1] / '.pytest_cache' / 'bytecode')
    # For the processes that tests start.
    os.environ['PYTHONPYCACHEPREFIX'] = sys.pycache_prefix
    os.environ.pop('PYTHONDONTWRITEBYTECODE', None)
