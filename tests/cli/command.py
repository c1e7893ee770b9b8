"""The ``spsnn`` command inside the test process."""

import sys

from spsnn.cli import main


def exit_code(*arguments):
    """Exit code of ``spsnn ARGUMENTS``."""
    argv, sys.argv = sys.argv, ["spsnn", *map(str, arguments)]
    try:
        main()
        return 0
    except SystemExit as stop:
        return stop.code or 0
    finally:
        sys.argv = argv


def run(capsys, *arguments):
    """Exit code, stdout, stderr of ``spsnn ARGUMENTS``, without what was printed before."""
    capsys.readouterr()
    code = exit_code(*arguments)
    return code, *capsys.readouterr()
