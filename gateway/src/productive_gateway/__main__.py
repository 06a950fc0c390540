"""`python -m productive_gateway`."""

import sys

from productive_gateway.cli import main

sys.exit(main())
