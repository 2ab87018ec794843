"""``python -m cybersecqwen``."""

from cybersecqwen.cli.main import console

if __name__ == "__main__":
    console()
