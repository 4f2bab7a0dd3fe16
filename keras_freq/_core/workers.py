"""Processes of this machine that make arrays by NumPy while the device computes."""

from __future__ import annotations

import collections
import contextlib
import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, NamedTuple, cast

# One thread each, since there are several; no accelerator, whose memory is the model's; memory that was freed
# is taken again, where the system would have to clear pages for every large array.
_SETTINGS = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "JAX_PLATFORMS": "cpu",
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MKL_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}
_LENGTH = struct.Struct("<Q")


class _Worker(NamedTuple):
    process: subprocess.Popen
    jobs: IO[bytes]
    replies: IO[bytes]


class Workers:
    """Some processes that call functions for this one.

    They are started when the first job comes, need no guard of the main module, and end with this process,
    however it ends. A function is sent by its name, so that it must stand in a module that can be imported.

    Args:
        count: How many; 0 calls the functions in this process.
    """

    def __init__(self, count: int):
        self.count = count
        self._threads = ThreadPoolExecutor(count) if count else None
        self._own = threading.local()  # each thread waits for a process of its own
        self._started: list[_Worker] = []
        self._finalizer = weakref.finalize(self, _end, self._threads, self._started)

    def submit(self, function: Callable[..., Any], *args: Any) -> Future:
        """The result to be of `function(*args)`."""
        if self._threads is not None:
            return self._threads.submit(_call, self._own, self._started, function, args)
        future: Future = Future()
        future.set_result(function(*args))
        return future

    def map(self, function: Callable[..., Any], jobs: Iterable[tuple]) -> Iterator[Any]:
        """`function(*job)` of every job, in order; two jobs a process are under way at most."""
        waiting = collections.deque[Future]()
        try:
            for job in jobs:
                waiting.append(self.submit(function, *job))
                if len(waiting) > 2 * self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """Ends the processes."""
        self._finalizer()


def _end(threads: ThreadPoolExecutor | None, started: list[_Worker]) -> None:
    if threads is not None:
        threads.shutdown(wait=False, cancel_futures=True)
    for worker in started:
        worker.process.kill()
        worker.process.wait()
        with contextlib.suppress(BrokenPipeError):  # half a job may be left to write
            worker.jobs.close()
        worker.replies.close()


def _call(own: Any, started: list[_Worker], function: Callable[..., Any], args: tuple) -> Any:
    worker = getattr(own, "worker", None)
    if worker is None:
        worker = own.worker = _start()
        started.append(worker)
    try:
        _send(worker.jobs, (function, args))
        done, result = _receive(worker.replies)
    except (BrokenPipeError, EOFError) as error:
        own.worker = None
        raise RuntimeError(
            f"A worker process is gone (exit status {worker.process.wait()}): it may have been killed for "
            "memory; fewer workers or smaller batches need less"
        ) from error
    if not done:
        raise result
    return result


def _start() -> _Worker:
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", "from keras_freq._core.workers import serve; serve()"],
        env={**os.environ, **_SETTINGS, "KERAS_BACKEND": _backend(), "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    return _Worker(process, cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout))


def _backend() -> str:
    import keras

    return keras.backend.backend()


def _send(pipe: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, protocol=5)
    pipe.write(_LENGTH.pack(len(content)))
    pipe.write(content)
    pipe.flush()


def _receive(pipe: IO[bytes]) -> Any:
    length = pipe.read(_LENGTH.size)
    if len(length) < _LENGTH.size:
        raise EOFError
    size = _LENGTH.unpack(length)[0]
    content = pipe.read(size)
    if len(content) < size:
        raise EOFError
    return pickle.loads(content)


def serve() -> None:
    """What a worker does: calls until its input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that it works for is interrupted, and ends it
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a function prints must not get between the replies
    while True:
        try:
            function, args = _receive(sys.stdin.buffer)
            reply = True, function(*args)
        except EOFError:
            return
        except Exception as error:
            reply = False, _sendable(error)
        try:
            _send(replies, reply)
        except BrokenPipeError:
            return


def _sendable(error: Exception) -> Exception:
    """An error as it is, or what it says, where it cannot be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
