"""Errors that a user can act on: each message names the rule, the value and the way out."""


class SpsnnError(ValueError):
    """Base of every error that spsnn raises on purpose."""


class ConfigError(SpsnnError):
    """A setting is unknown, ill-typed or contradicts another one."""


class DataError(SpsnnError):
    """A data set or an array of spikes breaks the rules of its container."""


class ModelFileError(SpsnnError):
    """A model file or checkpoint is damaged, incomplete or of a newer schema."""


class CapacityError(SpsnnError):
    """A network does not fit a buffer or a chip."""


class ExportError(SpsnnError):
    """A network uses something that the target format cannot hold."""


class TrainingError(SpsnnError):
    """Training met a loss, weight or coordinate that is not finite."""
