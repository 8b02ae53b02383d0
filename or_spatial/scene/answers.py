"""Answers to spatial questions; saying "I do not know" is one of them."""

from dataclasses import dataclass

from or_spatial.scene.relations import SpatialRelation
from or_spatial.scene.values import NAN


@dataclass(frozen=True, kw_only=True)
class SpatialAnswer:
    """`answer` in words with its evidence, or `abstained` with the reason in `answer`.

    `stamp_ns` is that of the graph the answer rests on. `quantity` with `unit` ("m", "", "deg") is NaN when the
    question asks for no number.
    """

    question: str
    answer: str
    stamp_ns: int = 0
    frame_id: str = "map"
    question_id: str = ""
    confidence: float = NAN
    abstained: bool = False
    object_ids: tuple[str, ...] = ()
    evidence: tuple[SpatialRelation, ...] = ()
    quantity: float = NAN
    unit: str = ""
    model_id: str = ""
