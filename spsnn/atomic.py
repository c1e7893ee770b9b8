"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from spsnn.errors import SpsnnError


@contextlib.contextmanager
def replacing(path, error=SpsnnError):
    """Yield a temporary path in the folder of ``path``; on success it is synced and renamed, on failure removed.

    Args:
        path: file to write or replace; a link is followed.
        error: class of the error to raise.

    Raises:
        error: if the disk is full or the folder cannot be written; the previous file stays as it was.
    """
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise error(f"{path} is no file; choose another name to write to")
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        if os.name == "posix":
            _sync(path.parent)
    except (OSError, RuntimeError) as cause:  # h5py reports a full disk as either
        raise error(
            f"could not write {path}: {cause}; the previous file, if any, is untouched. Free some space or choose "
            "another folder"
        ) from cause
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _sync(path):
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
