"""A worker that loads the images and is killed, as the system does where memory runs out."""

from __future__ import annotations

import os
import signal

import keras
import pytest

import keras_freq as kf
from tests.faults import work


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="needs DataLoader, and forks")
def test_a_killed_data_worker_is_told_and_what_is_measured_stays(tmp_path):
    import torch

    images, labels = work.samples(8)
    model, checkpoint, killing = work.classifier(), tmp_path / "sweep.jsonl", tmp_path / "killing"

    def lines():
        return checkpoint.read_bytes().count(b"\n") if checkpoint.exists() else 0

    class Images(torch.utils.data.Dataset):
        def __len__(self):
            return len(images)

        def __getitem__(self, index):
            if index == 5 and killing.exists() and lines() >= 3:
                killing.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
            return images[index], labels[index]

    loader = torch.utils.data.DataLoader(Images(), batch_size=4, num_workers=2)
    options = {"bases_per_pass": 32}
    expected = kf.evaluate.fourier_heat_map(model, loader, **options)
    killing.touch()
    # PyTorch tells of it from a signal handler, which may run inside a layer: Keras then adds its own lines.
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid.* (exited unexpectedly|is killed)"):
        kf.evaluate.fourier_heat_map(model, loader, checkpoint=checkpoint, **options)
    kept = checkpoint.read_bytes()
    assert lines() >= 3
    assert kf.evaluate.fourier_heat_map(model, loader, checkpoint=checkpoint, **options) == expected
    assert checkpoint.read_bytes().startswith(kept)
