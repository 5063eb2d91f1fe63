"""``python -m xtendsrc``."""

import sys

from xtendsrc.cli import main

if __name__ == "__main__":
    sys.exit(main())
