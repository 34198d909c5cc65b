"""``python -m matgrad`` is the command ``matgrad``."""

from __future__ import annotations

import sys

from matgrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
