"""Pictures for TensorBoard, by its own package: no TensorFlow is needed."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def check_tensorboard() -> None:
    """Refuses where the package is missing, before anything is measured."""
    if importlib.util.find_spec("tensorboard") is None:
        raise ImportError(
            "`tensorboard` writes by the package of that name, which must be installed: pip install "
            "tensorboard. Received: none"
        )


def write_images(folder: Path, step: int, pictures: Mapping[str, bytes]) -> None:
    """Writes PNG pictures into an event file of their own, each under its tag.

    Args:
        folder: Where to; it is made.
        step: The epoch, from 0 as the scalars of Keras' own callback have it.
        pictures: PNG files by tag.
    """
    events, summaries, tensors, kinds = (
        importlib.import_module(f"tensorboard.compat.proto.{name}_pb2")
        for name in ("event", "summary", "tensor", "types")
    )
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder))
    try:
        for tag, png in pictures.items():
            metadata = summaries.SummaryMetadata(data_class=summaries.DATA_CLASS_BLOB_SEQUENCE)
            metadata.plugin_data.plugin_name = "images"
            tensor = tensors.TensorProto(
                dtype=kinds.DT_STRING, string_val=[*map(_to_text, _read_size(png)), png]
            )
            tensor.tensor_shape.dim.add(size=3)
            value: Any = summaries.Summary.Value(tag=tag, tensor=tensor, metadata=metadata)
            summary = summaries.Summary(value=[value])
            writer.add_event(events.Event(wall_time=time.time(), step=step, summary=summary))
    finally:
        writer.close()


def _read_size(png: bytes) -> tuple[int, int]:
    """Width and height, which stand at fixed places of a PNG file."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _to_text(number: int) -> bytes:
    return str(number).encode()
