"""`python -m receiver`."""

import sys

from receiver.program import main

if __name__ == "__main__":
    sys.exit(main())
