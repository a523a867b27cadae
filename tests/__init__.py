"""The tests: a package, so that one of the same name among the installed packages does not hide it."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # equal sums need equal numbers of threads; torch reads it once
