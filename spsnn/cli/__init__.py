"""Command line."""

import sys


def main():
    """Entry point of ``spsnn``: an error that spsnn raises on purpose is one message and exit code 2."""
    from spsnn.cli.tuning import app  # all commands: `app` and those that `studies` and `tuning` add
    from spsnn.errors import SpsnnError

    try:
        app()
    except (SpsnnError, MemoryError, RuntimeError) as error:
        short_of_memory = isinstance(error, MemoryError) or "can't allocate memory" in str(error)
        if "--debug" in sys.argv or not (isinstance(error, SpsnnError) or short_of_memory):
            raise
        message = "not enough memory; use smaller layers, batches or data" if short_of_memory else error
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)
