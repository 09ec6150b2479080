"""`python -m cli`: the command `disyre` where it is not installed, as in containers."""

import sys

from cli.main import main

if __name__ == "__main__":
    sys.exit(main())
