"""`python -m nacre` is the `nacre` command."""

import sys

from nacre.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
