"""What the team is doing: roles, phase, next action, sterility, each with its confidence."""

from dataclasses import dataclass, replace

from or_spatial.scene.values import NAN


@dataclass(frozen=True)
class RoleEstimate:
    """The role of one person; `role` is empty when the reader abstains."""

    object_id: str
    role: str
    confidence: float = NAN
    sterile: float = NAN


@dataclass(frozen=True, kw_only=True)
class ClinicalState:
    """The clinical reading at `stamp_ns`; an empty string means that the reader abstains."""

    stamp_ns: int
    procedure: str = ""
    procedure_confidence: float = NAN
    phase: str = ""
    phase_confidence: float = NAN
    next_action: str = ""
    next_action_confidence: float = NAN
    roles: tuple[RoleEstimate, ...] = ()
    model_id: str = ""

    def abstaining_below(self, least: float) -> "ClinicalState":
        """The same with every part empty whose confidence is known and below `least`; confidences stay as they are."""
        return replace(
            self,
            procedure="" if self.procedure_confidence < least else self.procedure,
            phase="" if self.phase_confidence < least else self.phase,
            next_action="" if self.next_action_confidence < least else self.next_action,
            roles=tuple(replace(r, role="" if r.confidence < least else r.role) for r in self.roles),
        )
