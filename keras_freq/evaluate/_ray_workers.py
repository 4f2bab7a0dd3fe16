"""`RayWorkers`: one measurement over the workers of a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket
import time
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from keras_freq._core import board, processes
from keras_freq._core.checks import check_number, check_whole, show
from keras_freq._core.crew import Crew

T = TypeVar("T")

# How often a step is tried, and a worker started again.
_TRIES = 3
# Seconds without any worker until that is said.
_PATIENCE = 60
# What a worker must have in common with this process before it imports Keras.
_VARIABLES = ("KERAS_HOME", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS", "CUBLAS_WORKSPACE_CONFIG")


class RayWorkers:
    """Workers of a Ray cluster that share the steps of a measurement.

    Each worker goes through the whole measurement, and does those of its steps that no other has taken; this
    process takes the results, writes checkpoints and shows progress. Numbers are those of one process, to the
    last bit on devices of one kind. What is not a step of images, the training of a mask, say, everyone does.
    A worker that is lost is started again, three times, on any node that has room; its steps go to the others
    at once. A step that fails three times ends the measurement. Results of all steps stay in memory until its
    end, so that a new worker can go on from there.

    It suits some tens of workers; for many networks or measurements see `python -m apps.lab grid` in a
    checkout.

    Args:
        n: How many workers; default as many as the cluster has room for.
        address: HOST:PORT of a cluster, `"auto"` for the one of this machine, or `None` for one that is
            started here and ends with the block. One that `ray.init` has connected with is taken as it is.
        cpus: CPU cores of a worker.
        gpus: GPUs of a worker; a fraction shares one.
        memory: Bytes that a worker asks for; default none.

    Raises:
        ImportError: If Ray is not installed: `pip install 'keras-freq[scale]'`.
        ValueError: If an argument is out of range, or no cluster is at the address.

    Example:
        >>> with kf.evaluate.RayWorkers(4) as workers:  # doctest: +SKIP
        ...     result = workers.run(kf.evaluate.fourier_heat_map, model, data, epsilon=4.0)
        ...     report = kf.report(model, data, executor=workers)
    """

    def __init__(
        self,
        n: int | None = None,
        *,
        address: str | None = None,
        cpus: float = 1,
        gpus: float = 0,
        memory: int | None = None,
    ):
        self._count = None if n is None else check_whole(n, "n")
        self._address = address
        self._needs = {
            "num_cpus": check_number(cpus, "cpus", least=0),
            "num_gpus": check_number(gpus, "gpus", least=0),
        }
        if memory is not None:
            self._needs["memory"] = check_whole(memory, "memory")
        self._stack = contextlib.ExitStack()
        self._call = 0
        self._workers: list[_Worker] = []
        self._told: float | None = None  # since when no worker has a place

    def __enter__(self) -> RayWorkers:
        with contextlib.ExitStack() as stack:
            self._ray = stack.enter_context(_connected(self._address))
            count = self._count or self._room()
            self._board = self._start_board(count)
            stack.callback(self._ray.kill, self._board)
            self._workers = [_Worker(self, number + 1) for number in range(count)]
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    def run(self, function: Callable[..., T], *args: Any, **options: Any) -> T:
        """`function(*args, **options)`, its steps shared by the workers.

        Args:
            function: A function of `keras_freq.evaluate` or `keras_freq.shortcuts`, or one that calls them.
            *args: Its arguments. All must be of a kind that can be pickled: a Keras model, arrays, a
                `keras_freq.Classifier`. Arrays and weights go to a node once.
            **options: Its options.

        Returns:
            What the function returns here.

        Raises:
            RuntimeError: If no worker is left, or a step failed three times.
            TypeError: If something cannot be pickled.
        """
        if not self._workers:
            raise RuntimeError(
                "`run` works inside the block: with RayWorkers() as workers. Received: none open"
            )
        packed = self._pack((function, args, options))
        self._call += 1
        call = self._call
        self._ray.get(self._board.begin.remote(call, len(self._workers)))
        for worker in self._workers:
            worker.begin(call, packed)
        crew = Crew(self._ask, call=call, member=0, size=len(self._workers) + 1, watch=self._watch)
        try:
            with processes.joined(crew):
                return function(*args, **options)
        finally:
            self._ray.get(self._board.begin.remote(0, 1))  # those who are behind stop

    def _ask(self, method: str, *args: Any) -> Any:
        return self._ray.get(getattr(self._board, method).remote(*args))

    def _pack(self, what: Any) -> Any:
        """A reference to something in the object store, and what makes it readable to a worker."""
        try:
            return self._ray.put((_settings(), self._ray.put(what)))
        except Exception as error:
            raise TypeError(
                "All arguments must be of a kind that can be pickled: Keras models, a Classifier, arrays. "
                f"Received: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
            ) from error

    def _room(self) -> int:
        there = self._ray.cluster_resources()
        names = {"num_cpus": "CPU", "num_gpus": "GPU", "memory": "memory"}
        room = [there.get(names[name], 0.0) / amount for name, amount in self._needs.items() if amount]
        return max(1, math.floor(min(room, default=there.get("CPU", 1.0))))

    def _start_board(self, count: int) -> Any:
        # By value: an import of the package would import Keras there, too.
        self._ray.cloudpickle.register_pickle_by_value(board)
        try:
            remote = self._ray.remote(board.Board).options(
                num_cpus=0,
                max_concurrency=count + 2,
                # Where this process is: without it there is no measurement anyway.
                scheduling_strategy=self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
                    self._ray.get_runtime_context().get_node_id(), soft=False
                ),
            )
            return remote.remote(_TRIES)
        finally:
            self._ray.cloudpickle.unregister_pickle_by_value(board)

    def _start_worker(self) -> Any:
        options = {**self._needs, "scheduling_strategy": "SPREAD"}
        return _make_worker(self._ray).options(**options).remote(_variables())

    def _watch(self) -> None:
        """Starts lost workers again; raises where none is left, or none has what is waited for."""
        for worker in self._workers:
            worker.look()
        if any(worker.is_placed() for worker in self._workers):
            self._told = None
        elif self._told is None:
            self._told = time.monotonic()
        elif time.monotonic() - self._told > _PATIENCE:
            self._told = math.inf  # once
            warnings.warn(
                f"No node of the cluster has room for a worker yet, {self._needs}: waiting.", stacklevel=2
            )
        if all(worker.gone for worker in self._workers):
            raise processes.LostProcess(f"No worker is left: {self._workers[0].gone}")
        if all(worker.gone or worker.ended_before(10) for worker in self._workers):
            raise RuntimeError("The workers came with fewer steps than this process, of the same data.")

    def _end(self) -> None:
        for worker in self._workers:
            self._ray.kill(worker.actor)
        self._workers = []


class _Worker:
    """A worker's place: who has it now, and how often one was lost."""

    def __init__(self, crew: RayWorkers, number: int):
        self._crew, self._number, self._lost = crew, number, 0
        self._reference: Any = None
        self._ended: float | None = None
        self.gone = ""
        self._start()

    def _start(self) -> None:
        self.actor, self._alive = self._crew._start_worker(), True
        self._placed = self.actor.__ray_ready__.remote()

    def is_placed(self) -> bool:
        """Whether it runs on a node, and is not known to be lost."""
        return not self.gone and bool(self._crew._ray.wait([self._placed], timeout=0)[0])

    def begin(self, call: int, packed: Any) -> None:
        """Sends it to a new measurement; what it lost in an earlier one does not count."""
        if self.gone and not self._alive:
            self._start()
        self._lost, self.gone = 0, ""
        self.work(call, packed)

    def work(self, call: int, packed: Any) -> None:
        """Sends it to work."""
        self._call, self._packed, self._ended = call, packed, None
        crew = self._crew
        size = len(crew._workers) + 1
        self._reference = self.actor.work.remote(crew._board, call, self._number, size, [packed])

    def ended_before(self, seconds: float) -> bool:
        """Whether its program has come to its end so long ago."""
        return self._ended is not None and time.monotonic() - self._ended > seconds

    def look(self) -> None:
        """Takes note of its end; where that is a failure, its steps are free and it begins again."""
        ray = self._crew._ray
        if self._reference is None or not ray.wait([self._reference], timeout=0)[0]:
            return
        reference, self._reference = self._reference, None
        try:
            ray.get(reference)
            self._ended = time.monotonic()
        except ray.exceptions.RayError as error:
            cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else error
            why = " ".join(f"{type(cause).__name__}: {cause}".split())
            self._crew._ask("fail", self._call, self._number, why)
            self._alive = isinstance(error, ray.exceptions.RayTaskError)
            self._lost += 1
            if self._lost == _TRIES:
                self.gone = why
                return
            if not self._alive:
                self._start()
            self.work(self._call, self._packed)


def _make_worker(ray: Any) -> Any:
    """The class of the workers. It is sent by value, so that the backend is set before Keras is imported."""

    class Worker:
        def __init__(self, variables):
            os.environ.update(variables)

        def work(self, board, call, member, size, packed):
            settings, packed = ray.get(packed[0])
            from keras_freq._core.crew import Crew, MeasurementOver
            from keras_freq._core.processes import joined
            from keras_freq.evaluate._ray_workers import set_up

            set_up(settings)
            function, args, options = ray.get(packed)
            crew = Crew(
                lambda method, *args: ray.get(getattr(board, method).remote(*args)),
                call=call,
                member=member,
                size=size,
            )
            with joined(crew), contextlib.suppress(MeasurementOver):
                function(*args, **options)

    return ray.remote(Worker)


def _variables() -> dict[str, str]:
    found = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    return found | {"KERAS_BACKEND": keras.backend.backend()}


def _settings() -> dict[str, Any]:
    return {
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
        "custom_objects": dict(keras.saving.get_custom_objects()),
    }


def set_up(settings: dict[str, Any]) -> None:
    """Takes over what the other process has set in Keras."""
    keras.config.set_floatx(settings["floatx"])
    keras.config.set_epsilon(settings["epsilon"])
    keras.config.set_image_data_format(settings["image_data_format"])
    keras.config.set_dtype_policy(settings["dtype_policy"])
    keras.saving.get_custom_objects().update(settings["custom_objects"])


@contextlib.contextmanager
def _connected(address: str | None) -> Any:
    """The module `ray`, connected with a cluster."""
    try:
        import ray
    except ImportError as error:
        raise ImportError(
            f"RayWorkers needs Ray: pip install 'keras-freq[scale]'. Received: {error}"
        ) from error
    if ray.is_initialized():
        yield ray
        return
    try:
        _reach(address)
        # By default Ray would take a cluster of this machine that it finds.
        ray.init(
            address=address or "local",
            log_to_driver=False,
            include_dashboard=False,
            logging_level=logging.ERROR,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise ValueError(
            "`address` must be that of a Ray cluster (auto: the one of this machine, HOST:PORT), or None to "
            f"start one here. Received: address={show(address)} ({' '.join(str(error).split())})"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _reach(address: str | None) -> None:
    """Fails at once where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.removeprefix("ray://").strip("[]"), int(port)), timeout=10).close()
