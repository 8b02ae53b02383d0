"""What can go wrong, as one tree.

    OrSpatialError
    ├── ConfigError       a YAML file, parameter or option is unknown or out of range: the message names it
    ├── VocabularyError   a label or predicate that the vocabulary does not have, or two vocabularies that differ
    ├── GeometryError     impossible intrinsics, poses or shapes
    ├── ImageError        an image that cannot be read: size, step, encoding, damaged bytes
    ├── BundleError       a model bundle that is missing, damaged or made for something else: names the file
    ├── DatasetError      an annotation file or recording that is missing, damaged or lacks what is asked for
    └── MissingDependency an optional package is not installed: the message says which extra brings it

Each message says what came, what was expected and what to do next.
"""


class OrSpatialError(Exception):
    """Root of every error that or_spatial raises on purpose."""


class ConfigError(OrSpatialError, ValueError):
    """A configuration value is unknown, missing or out of range."""


class VocabularyError(OrSpatialError, ValueError):
    """A name that the vocabulary in use does not have."""


class GeometryError(OrSpatialError, ValueError):
    """Numbers that cannot be a camera, a pose or a box."""


class ImageError(OrSpatialError, ValueError):
    """An image that cannot be turned into pixels."""


class BundleError(OrSpatialError):
    """A model bundle that cannot be trusted or used."""


class DatasetError(OrSpatialError):
    """Recorded or annotated data that cannot be read."""


class MissingDependency(OrSpatialError, ImportError):
    """An optional package that this operation needs is not installed."""
