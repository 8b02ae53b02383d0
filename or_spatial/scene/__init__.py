"""The language of the suite: plain values for objects, relations, graphs, alerts and answers. No ROS, no torch."""

from or_spatial.scene.alerts import AlertState, HazardAlert, Severity
from or_spatial.scene.answers import SpatialAnswer
from or_spatial.scene.clinical import ClinicalState, RoleEstimate
from or_spatial.scene.graph import CameraStatus, Scale, SceneGraph, Source
from or_spatial.scene.history import GraphHistory
from or_spatial.scene.objects import Box2D, Category, Hypothesis, SceneObject
from or_spatial.scene.relations import EvidenceSource, Family, FrameOfReference, SpatialRelation
from or_spatial.scene.vocabulary import Vocabulary, load_vocabulary

__all__ = [
    "AlertState",
    "Box2D",
    "CameraStatus",
    "Category",
    "ClinicalState",
    "EvidenceSource",
    "Family",
    "FrameOfReference",
    "GraphHistory",
    "HazardAlert",
    "Hypothesis",
    "RoleEstimate",
    "Scale",
    "SceneGraph",
    "SceneObject",
    "Severity",
    "Source",
    "SpatialAnswer",
    "SpatialRelation",
    "Vocabulary",
    "load_vocabulary",
]
