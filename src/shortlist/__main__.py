"""``python -m shortlist`` is the same as the ``shortlist`` command."""

import sys

from .cli import main

sys.exit(main())
