"""One answer over DDS, asked for again when it may have been lost.

A server may receive a request before it has discovered the client's reader of answers; its answer is then dropped,
and the client would wait for ever (ros2/rmw_fastrtps#842; DDS-RPC 1.0, 7.6.2.2). Only for what may be asked twice.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

AGAIN_AFTER_S = 2.0


def answer_of(ask: Callable[[], Any], within_s: float, again_after_s: float = AGAIN_AFTER_S) -> Any:
    """The first result of the futures that `ask` returns, None when none comes within `within_s`.

    The node that asks is spun by another thread. An answer to an earlier asking is as good as one to the last.
    """
    deadline, came, futures = time.monotonic() + within_s, threading.Event(), []
    while (left_s := deadline - time.monotonic()) > 0 and not came.is_set():
        futures.append(ask())
        futures[-1].add_done_callback(lambda _: came.set())
        came.wait(min(left_s, again_after_s))
    answered = next((f for f in futures if f.done()), None)
    for future in futures:
        future.cancel()  # what is cancelled is no longer waited for; nothing happens to what is done
    return answered.result() if answered is not None else None
