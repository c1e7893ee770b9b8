"""A vector that grows in place."""

import numpy as np


class Growing:
    """Collects pieces of a vector without holding them twice.

    A list of pieces joined at the end needs twice the memory of the result; reallocation in place does not.
    """

    def __init__(self, dtype):
        self._data = np.empty(0, dtype)
        self._used = 0

    def append(self, values):
        """Add a piece at the end."""
        used = self._used + len(values)
        if used > len(self._data):
            self._data.resize(used + used // 8, refcheck=False)
        self._data[self._used : used] = values
        self._used = used

    def take(self):
        """Return the vector and start anew."""
        data, used = self._data, self._used
        self._data, self._used = np.empty(0, data.dtype), 0
        data.resize(used, refcheck=False)
        return data
