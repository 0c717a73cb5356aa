"""`python -m jaxgen`: the same as `jaxgen`."""

import sys

from jaxgen.cli.main import main

sys.exit(main())
