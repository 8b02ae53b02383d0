"""Questions to answers: by rule over the scene graph, and by the language model."""

from or_spatial.answering.symbolic import answer

__all__ = ["answer"]
