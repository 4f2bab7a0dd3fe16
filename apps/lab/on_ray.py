"""Units of work on a Ray cluster. Nothing here imports Keras: a worker sets its backend first."""

from __future__ import annotations

import contextlib
import importlib
import logging
import math
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from apps.lab.errors import RunError, one_line
from apps.lab.interruption import stop_if_interrupted
from apps.lab.units import Backlog, Unit

# What a worker must have in common with the driver beside its code.
_SHARED = ("KERAS_BACKEND", "KERAS_HOME", "TF_ENABLE_ONEDNN_OPTS", "XLA_FLAGS", "CUBLAS_WORKSPACE_CONFIG")


@contextlib.contextmanager
def cluster(address: str | None, *, cpus: int | None = None) -> Iterator[Any]:
    """The module `ray`, connected with a cluster, or with one that is started here and ends with it.

    `cpus`: of one that is started here; by default those of the machine.
    """
    try:
        import ray
    except ImportError as error:
        raise RunError(
            f"executor=ray needs Ray: pip install 'keras-freq[scale]'. Received: {one_line(error)}", code=1
        ) from error
    try:
        _reach(address)
        ray.init(
            address=address or "local",  # by default Ray would take a cluster of this machine that it finds
            num_cpus=cpus,
            log_to_driver=False,
            include_dashboard=False,
            logging_level=logging.ERROR,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise RunError(
            "`address` must be that of a Ray cluster (auto: the one of this machine, HOST:PORT), or null to "
            f"start one here. Received: address={address} ({one_line(error)})",
            code=1,
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()  # ends what the workers do for this driver


def _reach(address: str | None) -> None:
    """Fails at once where nobody listens at HOST:PORT; Ray itself would try for minutes."""
    host, _, port = (address or "").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.removeprefix("ray://").strip("[]"), int(port)), timeout=10).close()


def environment() -> dict[str, str]:
    """The variables of this process that a worker takes over before it imports Keras."""
    import keras

    found = {name: os.environ[name] for name in _SHARED if name in os.environ}
    return found | {"KERAS_BACKEND": keras.backend.backend()}


def call(shared: Mapping[str, str], function: str, *args: Any) -> Any:
    """In a worker: the function ``"module:name"``, imported once the variables `shared` are set."""
    os.environ.update(shared)
    module, name = function.split(":")
    return getattr(importlib.import_module(module), name)(*args)


def work_on_ray(
    ray: Any,
    backlog: Backlog,
    send: Callable[[Unit], Any],
    receive: Callable[[Unit, Any], dict[str, Any]],
    *,
    needs: Mapping[str, float],
    say: Callable[[str], None],
) -> Iterator[tuple[Unit, dict[str, Any]]]:
    """Does the units on the workers of a cluster; gives each with its outcome.

    A unit that failed, or whose worker or node was lost, is sent again. Others share the folder of the units
    as with `work_locally`.

    Args:
        ray: The module, connected.
        backlog: The units.
        send: Sends a unit, and returns the reference to wait for.
        receive: The outcome of a unit from what the reference stands for.
        needs: What a unit takes of the cluster's resources.
        say: Told of failures.
    """
    sent: dict[Any, tuple[Unit, Any]] = {}
    told = False
    while len(backlog):
        stop_if_interrupted()
        on_the_way = {unit.digest for unit, _ in sent.values()}
        # A few more than the cluster works on: what is claimed here, no other driver takes.
        room = 2 + 2 * _slots(ray, needs) - len(sent)
        for unit in backlog.ready():
            if unit.digest in on_the_way or room <= 0:
                continue
            outcome, claim = backlog.store.take(unit)
            if outcome is not None:
                backlog.done(unit)
                yield unit, outcome
            elif claim is not None:
                sent[send(unit)] = (unit, claim)
                room -= 1
        if not told and sent and not _slots(ray, needs):
            told = True
            say(f"no node of the cluster has {dict(needs)} yet; waiting")
        for reference in ray.wait(list(sent), timeout=0.5)[0] if sent else _pause():
            unit, claim = sent.pop(reference)
            with contextlib.closing(claim):
                try:
                    outcome = receive(unit, ray.get(reference))
                except ray.exceptions.RayError as error:
                    say(backlog.fail(unit, _reason(ray, error)))
                    continue
                backlog.store.keep(unit, outcome)
            backlog.done(unit)
            yield unit, outcome


def _slots(ray: Any, needs: Mapping[str, float]) -> int:
    """How many units the cluster can work on at once."""
    there = ray.cluster_resources()
    slots = [there.get(name, 0.0) / amount for name, amount in needs.items() if amount]
    return math.floor(min(slots, default=there.get("CPU", 1.0)))


def _pause() -> list[Any]:
    time.sleep(0.5)
    return []


def _reason(ray: Any, error: Exception) -> str:
    """Why a unit failed: the worker's own exception, or that the worker is gone."""
    if isinstance(error, ray.exceptions.OutOfMemoryError):  # it comes with two pages about the node
        return (
            "OutOfMemoryError: its node had no memory left and ended it; with more `memory` or `cpus` a unit "
            "fewer run at once"
        )
    cause = error.cause if isinstance(error, ray.exceptions.RayTaskError) else None
    return one_line(cause) if isinstance(cause, Exception) else f"{type(error).__name__}: {one_line(error)}"
