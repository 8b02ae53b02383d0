"""Roles, phase, sterility and next action read online from a stream of scene graphs, each with its confidence."""

from or_spatial.clinical.model import ClinicalModel
from or_spatial.clinical.reader import ClinicalReader
from or_spatial.clinical.repertoire import Repertoire

__all__ = ["ClinicalModel", "ClinicalReader", "Repertoire"]
