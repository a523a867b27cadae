"""`python -m model_def`."""

import sys

from model_def.cli import main

if __name__ == "__main__":
    sys.exit(main())
