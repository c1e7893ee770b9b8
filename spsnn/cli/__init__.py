"""Command line."""

import sys


def main():
    """Entry point of ``spsnn``: an error that spsnn raises on purpose is one message and exit code 2."""
    from spsnn.cli.app import app
    from spsnn.errors import SpsnnError

    try:
        app()
    except SpsnnError as error:
        if "--debug" in sys.argv:
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
