"""Questions that are kept an eye on: which there are, and whose answer has changed. No rclpy here."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace

from or_spatial.nodes.queries import Refusal, Status
from or_spatial.scene import SceneGraph, SpatialAnswer


@dataclass
class _Watched:
    question: str
    camera: str
    min_interval_ns: int
    told: tuple[object, ...] | None = None
    told_ns: int = 0

    def due(self, stamp_ns: int) -> bool:
        """Whether it may be told again; always where time has run back since, as when a recording starts again."""
        return not 0 <= stamp_ns - self.told_ns < self.min_interval_ns


class WatchList:
    """Watched questions by id. An answer has changed when its words, its objects or its abstention have."""

    def __init__(self) -> None:
        self._watched: dict[str, _Watched] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._watched)

    def start(self, question: str, camera: str, min_interval_ns: int, question_id: str, limit: int) -> str:
        """Watch a question; its id (made when empty). The same id again replaces its question.

        Raises:
            Refusal: `limit` questions are watched already.
        """
        with self._lock:
            question_id = question_id or next(i for n in self._numbers if (i := f"question_{n}") not in self._watched)
            if question_id not in self._watched and len(self._watched) >= limit:
                raise Refusal(Status.INVALID_REQUEST, f"{limit} questions are watched already (parameter max_watched)")
            self._watched[question_id] = _Watched(question, camera, min_interval_ns)
            return question_id

    def stop(self, question_id: str) -> bool:
        """Forget a question; whether there was one."""
        with self._lock:
            return self._watched.pop(question_id, None) is not None

    def told(self, question_id: str, graph: SceneGraph, answer: SpatialAnswer) -> SpatialAnswer:
        """Note that this answer was given, so that only the next change is published."""
        with self._lock:
            watched = self._watched[question_id]
            watched.told, watched.told_ns = _gist(answer), graph.stamp_ns
        return replace(answer, question_id=question_id)

    def changed(self, graph: SceneGraph, answer: Callable[[str, str], SpatialAnswer]) -> list[SpatialAnswer]:
        """The answers from this graph that differ from those told, each at most once per its interval."""
        with self._lock:
            due = [(i, w) for i, w in self._watched.items() if w.due(graph.stamp_ns)]
        return [
            self.told(i, graph, now)
            for i, w in due
            if _gist(now := _answered(w, graph, answer)) != w.told and i in self._watched
        ]

    def gone_stale(self, graph: SceneGraph, after_s: float) -> list[SpatialAnswer]:
        """An abstention for every question, once, when the newest graph has become too old."""
        words = f"I do not know: no scene graph for more than {after_s:g} s."
        with self._lock:
            waiting = list(self._watched.items())
        answers = [
            (i, w, SpatialAnswer(question=w.question, answer=words, stamp_ns=graph.stamp_ns, abstained=True))
            for i, w in waiting
        ]
        return [self.told(i, graph, a) for i, w, a in answers if _gist(a) != w.told]


def _answered(watched: _Watched, graph: SceneGraph, answer: Callable[[str, str], SpatialAnswer]) -> SpatialAnswer:
    """The answer, or an abstention that says what is in the way: one question must not cost the others theirs."""
    try:
        return answer(watched.question, watched.camera)
    except Refusal as refusal:
        words = f"I do not know: {refusal}."
        return SpatialAnswer(question=watched.question, answer=words, stamp_ns=graph.stamp_ns, abstained=True)


def _gist(answer: SpatialAnswer) -> tuple[object, ...]:
    return (answer.abstained, answer.answer, answer.object_ids)
