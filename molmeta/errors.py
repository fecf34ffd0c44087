"""What a caller may catch: one base class, one subclass for each thing that can be wrong."""


class MolmetaError(ValueError):
    """Something the user can mend; the message says what was found and what to do."""


class InputError(MolmetaError):
    """An input file or a value passed in cannot be used at all."""


class SupportError(MolmetaError):
    """The support set cannot teach: too few rows, one class, labels that are not labels."""


class CheckpointError(MolmetaError):
    """A model file is refused: damaged, not ours, of another version."""


class ConfigError(MolmetaError):
    """A setting is unknown or outside its range."""


class OutputError(MolmetaError):
    """A result cannot be written."""
