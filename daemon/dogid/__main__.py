"""`python -m dogid` is the command `dogid`."""

import sys

from dogid.cli import main

sys.exit(main())
