"""What `python3 -m learn` runs."""

import signal
import sys

# Ctrl-C while the modules are loaded just ends the process; main() changes that.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from learn.commands import main  # noqa: E402

sys.exit(main())
