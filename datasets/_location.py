"""Where data files lie on this machine, and fetching them when the user asks."""

import os
from pathlib import Path

from spsnn.errors import DataError

ENVIRONMENT = "SPSNN_DATA"


def data_root(data_dir, name, holds):
    """The directory of the data files.

    Args:
        data_dir: the directory; None takes the environment variable SPSNN_DATA.
        name: of the data set, and what the directory ``holds`` for it, for the message.

    Raises:
        DataError: if there is none.
    """
    root = data_dir or os.environ.get(ENVIRONMENT)
    if not root:
        raise DataError(
            f"{name} needs a data directory: pass data_dir= (--data-dir on the command line) or set {ENVIRONMENT}; "
            f"it must hold {holds}"
        )
    return Path(root).expanduser()


def locate(data_dir, folder, filename, download, **tonic_options):
    """Path of ``DIR/folder/filename`` in tonic's public layout.

    Args:
        data_dir: the directory DIR; None takes the environment variable SPSNN_DATA.
        folder: sub-folder, which is also the name of the class in ``tonic.datasets``.
        filename: name of the HDF5 file.
        download: fetch the file through tonic, which checks its MD5 sum, if it is missing.
        **tonic_options: options of the tonic class that choose this file.

    Raises:
        DataError: if there is no directory or no file, or the download fails.
    """
    path = data_root(data_dir, folder, f"{folder}/{filename}") / folder / filename
    if path.is_file():
        return str(path)
    if not download:
        raise DataError(
            f"there is no file {path}: point data_dir= (--data-dir on the command line) or {ENVIRONMENT} at the "
            f"directory that holds {folder}/{filename}, or pass download=True to fetch it through tonic"
        )
    _download(path, folder, tonic_options)
    return str(path)


def _download(path, folder, options):
    import tonic

    try:
        getattr(tonic.datasets, folder)(save_to=str(path.parent.parent), **options)
    except Exception as e:  # tonic lets network, archive and HDF5 errors of many types through
        raise DataError(
            f"tonic could not fetch {folder} into {path.parent}: {type(e).__name__}: {e}. Check the connection, "
            f"remove a damaged {path.name}.zip there, and try again"
        ) from e
    if not path.is_file():
        raise DataError(
            f"tonic fetched {folder} but left no {path}; remove {path.name}.zip beside it, so that it is fetched anew"
        )
