"""``python -m cybersecqwen``."""

from cybersecqwen.cli.main import main

raise SystemExit(main())
