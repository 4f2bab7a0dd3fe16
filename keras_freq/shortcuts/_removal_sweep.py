"""The exact sweep: one group of frequencies removed at a time, loss of each class on its own images."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_freq._core.compiled import to_tensor
from keras_freq._core.journal import SweepJournal
from keras_freq._core.progress import progress_bar
from keras_freq.shortcuts._class_losses import compile_class_losses
from keras_freq.shortcuts._frequency_groups import FrequencyGroups
from keras_freq.shortcuts._search_images import SearchImages
from keras_freq.spectral._backend import library_of
from keras_freq.spectral._images import to_planes

# The host runs ahead of an accelerator by at most this many steps.
_AHEAD = 16
# Images between two lines of the journal, about: a line costs less than a hundredth of them.
_IMAGES_PER_CHUNK = 4096
# Memory of the waves between two lines.
_BYTES_PER_CHUNK = 1 << 27


def remove_last(images: Any, waves: Any) -> Any:
    """Copies of the images `(groups * batch, ...)` without their projections on the waves of each group.

    `waves` is `(groups, waves, pixels)`. Two matrix products and no transform: one gives what the images hold
    of all waves, one builds what is taken away.
    """
    return _remove(images, waves, "channels_last")


def remove_first(images: Any, waves: Any) -> Any:
    """`remove_last` for channels in front."""
    return _remove(images, waves, "channels_first")


def _remove(images: Any, waves: Any, data_format: str) -> Any:
    planes, back = to_planes(images, data_format)
    xp = library_of(planes)
    # TensorFlow forgets sizes that change from call to call.
    batch, channels, height, width = xp.shape(planes)
    groups, count, pixels = xp.shape(waves)
    flat = xp.reshape(planes, (batch * channels, pixels))
    held = xp.matmul(flat, xp.transpose(xp.reshape(waves, (groups * count, pixels)), (1, 0)))
    held = xp.transpose(xp.reshape(held, (batch * channels, groups, count)), (1, 0, 2))
    rest = flat - xp.matmul(held, waves)
    return back(xp.reshape(rest, (groups * batch, channels, height, width)))


REMOVE = {"channels_last": remove_last, "channels_first": remove_first}


def key_of(group: int | None) -> str:
    """Where the journal keeps a group; `None` stands for the images as they are."""
    return "clean" if group is None else str(group)


def sweep(
    model: keras.Model,
    images: SearchImages,
    groups: FrequencyGroups,
    wanted: np.ndarray,
    journal: SweepJournal,
    *,
    loss: str,
    groups_per_step: int,
    data_format: str,
    progress: bool | None,
) -> int:
    """Measures the wanted groups and the images as they are, those that the journal does not hold yet.

    A row of the journal is the summed loss of each class, then its hits.

    Returns:
        How many images were passed through the model, filling included.
    """
    order = [None, *(int(group) for group in wanted)]
    todo = [group for group in order if key_of(group) not in journal.rows]
    per_step = min(groups_per_step, max(1, len(todo)))
    step = compile_class_losses(model, REMOVE[data_format], what=("remove", data_format), loss=loss)
    steps = math.ceil(images.n / images.batch_size)
    size = 8 * per_step * groups.rows.shape[1] * math.prod(groups.size)
    enough = math.ceil(_IMAGES_PER_CHUNK / (per_step * images.n))
    waves_per_chunk = max(1, min(enough, _BYTES_PER_CHUNK // size))
    chunk, total, forwards = per_step * waves_per_chunk, len(order) * images.n, 0
    done = total - len(todo) * images.n
    with progress_bar(progress, "frequency importance", total=total, done=done) as advance:
        for start in range(0, len(todo), chunk):
            part = todo[start : start + chunk]
            steps_of = [part[first : first + per_step] for first in range(0, len(part), per_step)]
            # Arguments, so that one compiled step serves all groups; the sums stay on the device.
            waves = [to_tensor(_waves(groups, few, per_step)) for few in steps_of]
            sums: list[list] = [[] for _ in steps_of]
            for count, (batch, labels, valid) in enumerate(images):
                for index, (few, wave) in enumerate(zip(steps_of, waves, strict=True)):
                    sums[index].append(step(batch, labels, valid, wave))
                    if (count * len(waves) + index + 1) % _AHEAD == 0:
                        ops.convert_to_numpy(sums[index][-1])
                    advance(len(few) * min(images.batch_size, images.n - count * images.batch_size))
            forwards += steps * len(waves) * per_step * images.batch_size
            rows = np.concatenate([_total(few_sums) for few_sums in sums])
            # Steps before the last one are full, so the filling is at the end.
            found = (row.ravel().tolist() for row in rows[: len(part)])
            journal.add(dict(zip(map(key_of, part), found, strict=True)))
    return forwards


def _waves(groups: FrequencyGroups, few: list, count: int) -> np.ndarray:
    waves = np.zeros((count, 2 * groups.rows.shape[1], math.prod(groups.size)), "float32")
    places = [index for index, group in enumerate(few) if group is not None]
    if places:
        chosen = np.array([few[index] for index in places])
        waves[places] = groups.waves(chosen, len(chosen))
    return waves


def _total(sums: list) -> np.ndarray:
    """Sums over the batches, float64 `(groups, 2, classes)`: float32 would lose small changes."""
    return np.sum([ops.convert_to_numpy(part) for part in sums], axis=0, dtype="float64")
