"""Spins a node until its context ends, and outlives races of rclpy's."""

import time
import traceback
from collections.abc import Callable

from rclpy.executors import Executor, ExternalShutdownException
from rclpy.logging import get_logger

_LOOK_UP_S = 0.5  # a wait without an end can miss a shutdown that comes just before it begins
_LET_IT_END_S = 0.005  # the other thread's making or destroying
_MOST_RACES = 100  # each at once after the other; what has not passed by then is no race


def spin(executor: Executor, ended: Callable[[], bool] = lambda: False) -> None:
    """Execute callbacks until `ended`, to be seen when the executor is woken, or until the context is shut down.

    An entity that another thread destroys, or has only half made, while the executor gathers what to wait for ends
    rclpy's own `spin` (ros2/rclpy#1206, #1355): here it is gathered anew. What a callback raises is raised.

    Raises:
        ExternalShutdownException: the context was shut down during the wait.
        Exception: of a callback, or what goes wrong in waiting again and again.
    """
    races = 0
    while executor.context.ok() and not ended():
        begun_s = time.monotonic()
        try:
            executor.spin_once(timeout_sec=_LOOK_UP_S)
        except ExternalShutdownException:
            raise
        except Exception as error:
            races = races + 1 if time.monotonic() - begun_s < _LET_IT_END_S else 1
            if races > _MOST_RACES or not _in_waiting(error) or not executor.context.ok():
                raise
            get_logger("or_spatial").debug(f"gathered anew what to wait for: {error}")
            time.sleep(_LET_IT_END_S)
        else:
            races = 0


def _in_waiting(error: Exception) -> bool:
    frames = traceback.walk_tb(error.__traceback__)
    return any(frame.f_code.co_name == "wait_for_ready_callbacks" for frame, _ in frames)
