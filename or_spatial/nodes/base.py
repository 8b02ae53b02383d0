"""What all our nodes share: declared parameters, lifecycle callbacks that log, and a `main` that ends cleanly."""

import faulthandler
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from types import FrameType, MappingProxyType
from typing import Any, TypeVar

import rclpy
from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node
from rclpy.parameter import Parameter

from or_spatial.errors import ConfigError, OrSpatialError
from or_spatial.nodes.parameter_table import PARAMETERS
from or_spatial.nodes.parameters import ParameterSpec, belongs_to_ros, unknown_key
from or_spatial.nodes.spinning import spin

CONFIG_EXIT_CODE = 2
"""A node that refuses its parameters ends with this code, and starting it again would not help."""

_CLOSED = (rclpy_implementation.RCLError, rclpy_implementation.InvalidHandle)
"""What rclpy raises where something is created in a context that a signal has closed."""

N = TypeVar("N", bound=Node)


class _Tabled:
    """Parameters of a node as the table has them: declared, checked, and refused by name when they are wrong."""

    _specs: Mapping[str, ParameterSpec] = MappingProxyType({})

    def declare_table(self, name: str) -> None:
        """Declare the table of the node `name`, with the overrides that it was started with.

        Raises:
            ConfigError: an override with an unknown key, a wrong type, or a value out of range.
        """
        self._specs = {spec.name: spec for spec in PARAMETERS[name]}
        overrides = getattr(self, "_parameter_overrides", {})  # the only place where rclpy keeps undeclared keys
        self._refuse_unknown(overrides)
        for spec in self._specs.values():
            self._declare(spec, overrides.get(spec.name))

    def value(self, name: str) -> Any:
        """The present value of a declared parameter."""
        return self.get_parameter(name).value

    def set_parameters_atomically(self, parameter_list: list[Parameter]) -> SetParametersResult:
        """As rclpy's, but a refusal names the parameter, the value and what is allowed."""
        try:
            checked = [self._checked(parameter) for parameter in parameter_list]
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return super().set_parameters_atomically(checked)

    def _checked(self, parameter: Parameter) -> Parameter:
        spec = self._specs.get(parameter.name)
        return Parameter(spec.name, value=spec.check(parameter.value)) if spec else parameter

    def _refuse_unknown(self, overrides: dict[str, Parameter]) -> None:
        elsewhere = {spec.name for specs in PARAMETERS.values() for spec in specs}
        for key in overrides:
            if key in self._specs or belongs_to_ros(key):
                continue
            if key not in elsewhere:
                raise unknown_key(key, self._specs, self.get_name())
            # A wildcard section of a shared file reaches every node; only its key's owner can judge it.
            self.get_logger().debug(f"parameter {key!r} belongs to another node")

    def _declare(self, spec: ParameterSpec, override: Parameter | None) -> None:
        try:
            value = spec.default if override is None else spec.check(override.value)
        except ConfigError as error:
            raise ConfigError(f"{self.get_name()}: {error}") from None
        self.declare_parameter(spec.name, value, descriptor_of(spec), ignore_override=True)


class TabledNode(_Tabled, Node):
    """A node whose parameters are those of the table under its name."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.declare_table(name)


class TabledLifecycleNode(_Tabled, LifecycleNode):
    """The same as a managed node. What it does stands in `configure`, `activate`, `deactivate` and `cleanup`."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.declare_table(name)

    def configure(self) -> None:
        """Read parameters, load what is heavy, create publishers. Raise to refuse."""

    def activate(self) -> None:
        """Begin to work: subscriptions, services, threads."""

    def deactivate(self) -> None:
        """Undo `activate`."""

    def cleanup(self) -> None:
        """Undo `configure`."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy; see `configure`."""
        return self._attempt(self.configure, super().on_configure, state)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy; see `activate`."""
        # Publishers first: what `activate` starts may publish at once.
        return self._attempt(self.activate, super().on_activate, state, theirs_first=True)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy; see `deactivate`."""
        return self._attempt(self.deactivate, super().on_deactivate, state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy; see `cleanup`."""
        return self._attempt(self.cleanup, super().on_cleanup, state)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Called by rclpy from any state; ends what runs."""
        self._attempt(self.deactivate, super().on_shutdown, state)
        return self._attempt(self.cleanup, super().on_cleanup, state)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """After a failed transition: back to unconfigured, so that it can be tried again."""
        self._attempt(self.deactivate, super().on_deactivate, state)
        return self._attempt(self.cleanup, super().on_cleanup, state)

    def start(self) -> None:
        """Configure and activate, when the parameter `auto_activate` says so.

        Raises:
            ConfigError: a transition was refused; the reason is in the log.
            ExternalShutdownException: told to end meanwhile.
        """
        if not self.value("auto_activate"):
            return
        for step in (self.trigger_configure, self.trigger_activate):
            if step() != TransitionCallbackReturn.SUCCESS:
                if not rclpy.ok():
                    raise ExternalShutdownException
                raise ConfigError(f"{self.get_name()} could not start; the reason stands above")

    def _attempt(
        self,
        ours: Callable[[], None],
        theirs: Callable[[LifecycleState], TransitionCallbackReturn],
        state: LifecycleState,
        theirs_first: bool = False,
    ) -> TransitionCallbackReturn:
        """rclpy turns an exception of a transition into ERROR without a word; here it is said."""
        try:
            if theirs_first:
                result = theirs(state)
                ours()
                return result
            ours()
            return theirs(state)
        except OrSpatialError as error:
            self.get_logger().error(f"{ours.__name__}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:
            if rclpy.ok():  # once told to end, everything fails and nothing is wrong
                self.get_logger().error(f"{ours.__name__} failed:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR


def descriptor_of(spec: ParameterSpec) -> ParameterDescriptor:
    """The descriptor that `ros2 param describe` and rqt show."""
    descriptor = ParameterDescriptor(name=spec.name, description=spec.description, read_only=spec.read_only)
    descriptor.additional_constraints = spec.allowed
    if spec.minimum is not None and spec.maximum is not None:
        if isinstance(spec.default, float):
            bounds = FloatingPointRange(from_value=float(spec.minimum), to_value=float(spec.maximum))
            descriptor.floating_point_range = [bounds]
        elif isinstance(spec.default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(spec.minimum), to_value=int(spec.maximum), step=1)]
    return descriptor


def guarded(callback: Callable[..., Any]) -> Callable[..., Any]:
    """A subscription or timer callback whose exception is logged (at most once a second) and ends nothing."""

    @wraps(callback)
    def survive(self: Node, *args: Any) -> Any:
        try:
            return callback(self, *args)
        except Exception:
            text = f"{callback.__name__} failed:\n{traceback.format_exc()}"
            self.get_logger().error(text, throttle_duration_sec=1.0)

    return survive


def run_node(make: Callable[[], N], threads: int = 1) -> int:
    """Start a node, spin it until SIGINT or SIGTERM, end it cleanly; the process's exit code.

    `threads` above 1 spins with a MultiThreadedExecutor. A node whose parameters are refused says so in one line.
    SIGUSR1 writes where every thread stands to stderr; the runner sends it before it kills.
    """
    faulthandler.register(signal.SIGUSR1)
    with _first_interrupt_left_to_rclpy():
        return _run(make, threads)


def _run(make: Callable[[], N], threads: int) -> int:
    rclpy.init()
    _end_with_parent()
    try:
        node = make()
        if isinstance(node, TabledLifecycleNode):
            node.start()
        executor = rclpy.executors.MultiThreadedExecutor(threads) if threads > 1 else SingleThreadedExecutor()
        executor.add_node(node)
        spin(executor)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except _CLOSED:
        if rclpy.ok():
            raise
        return 0  # told to end while it was still starting
    except OrSpatialError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return CONFIG_EXIT_CODE
    finally:
        _farewell(locals().get("node"))
        rclpy.try_shutdown()
    return 0


@contextmanager
def _first_interrupt_left_to_rclpy() -> Iterator[None]:
    """rclpy ends the spinning on SIGINT by itself; an exception in the midst of anything could leave a lock held.

    A second SIGINT interrupts Python as always: a person who waits for an engine to be built presses Ctrl-C again.
    To be entered before `rclpy.init`, whose own handler calls the one that it finds.
    """
    told = threading.Event()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if told.is_set():
            signal.default_int_handler(number, frame)
        told.set()

    previous = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _farewell(node: Node | None) -> None:
    if node is None:
        return
    close = getattr(node, "close", None)
    if close is not None:
        close()
    node.destroy_node()


def _end_with_parent() -> None:
    """Under the runner (which sets OR_SPATIAL_RUNNER to its pid), end when it is gone: no orphan keeps running."""
    runner = os.environ.get("OR_SPATIAL_RUNNER", "")
    if not runner:
        return

    def watch() -> None:
        gone = threading.Event()
        while os.getppid() == int(runner):
            gone.wait(1.0)
        rclpy.try_shutdown()

    threading.Thread(target=watch, daemon=True, name="end-with-parent").start()
