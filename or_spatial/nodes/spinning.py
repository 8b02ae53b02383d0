"""Spins a node until its context ends, and outlives races of rclpy's."""

import time
import traceback
from collections.abc import Callable

from rclpy.executors import Executor, ExternalShutdownException
from rclpy.logging import get_logger

_LOOK_UP_S = 0.5  # a wait without an end can miss a shutdown that comes just before it begins
_LET_IT_END_S = 0.005  # the other thread's making or destroying
_AT_ONCE_S = 0.05  # a failure that took longer came after a wait: its race is a new one
_PATIENCE_S = 20.0  # a starved machine can halt the other thread in the middle of it for long


def spin(executor: Executor, ended: Callable[[], bool] = lambda: False, patience_s: float = _PATIENCE_S) -> None:
    """Execute callbacks until `ended`, to be seen when the executor is woken, or until the context is shut down.

    An entity that another thread destroys, or has only half made, while the executor gathers what to wait for ends
    rclpy's own `spin` (ros2/rclpy#1206, #1355): here it is gathered anew. What a callback raises is raised.

    Raises:
        ExternalShutdownException: the context was shut down during the wait.
        Exception: of a callback, or what goes wrong in waiting for `patience_s` without a break.
    """
    raced_since_s: float | None = None
    while executor.context.ok() and not ended():
        begun_s = time.monotonic()
        try:
            executor.spin_once(timeout_sec=_LOOK_UP_S)
        except ExternalShutdownException:
            raise
        except Exception as error:
            now_s = time.monotonic()
            if raced_since_s is None or now_s - begun_s > _AT_ONCE_S:
                raced_since_s = now_s
            if now_s - raced_since_s > patience_s or not _in_waiting(error) or not executor.context.ok():
                raise
            get_logger("or_spatial").debug(f"gathered anew what to wait for: {error}")
            time.sleep(_LET_IT_END_S)
        else:
            raced_since_s = None


def _in_waiting(error: Exception) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "wait_for_ready_callbacks" for frame, _ in frames)
