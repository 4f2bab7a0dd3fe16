"""CDES: kernels that give images another spectral density."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import keras
import numpy as np

from keras_freq._core.archive import Archive
from keras_freq._core.array_batches import ArrayBatches
from keras_freq._core.checks import check_choice, check_number, check_pixels, check_radius, check_whole
from keras_freq._core.files import write_whole
from keras_freq._core.pixels import unit_float32
from keras_freq.cdes._kernel_model import (
    KernelHistory,
    KernelModel,
    Reduction,
    Similarity,
    initial_kernels,
)
from keras_freq.cdes._target import target_density
from keras_freq.layers._spectral_density_enhancement import SpectralDensityEnhancement
from keras_freq.spectral._density import Bins, Center, azimuthal_radii
from keras_freq.spectral._enhance import MASKS, RESCALES, Enhanced, Masks, enhance_density


class FitOptions(TypedDict, total=False):
    """What `CDES.fit` takes that shapes the kernels."""

    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float
    decay_every: int
    decay: float
    shuffle: bool


class CDES:
    """Kernels that raise the density of high frequencies in images: two trained convolutions.

    The kernels are trained so that the spectral density `s` of `f(x) = k2 * (k1 * x + b1) + b2` comes near
    two bell curves, one at the lowest and one at high frequencies, while `f(x)` stays near `x`:

    `loss = mean (s(f(x + n)) - target)^2 + mean (f(x + n) - (x + n))^2`, `n = U(0, 1) * noise * mean(x)`.

    `transform` keeps the low frequencies of an image and takes the high ones from `f(x + n)`:

    `y = Re IDFT(L * DFT(x) + (1 - L) * DFT(f(x + n)))`, `L = 1[d <= radius]`, min-max in every channel of
    every image.

    Args:
        filters: Channels between the two convolutions, at least 1.
        kernel_size: Odd side of the kernels in pixels.
        rho: Weight of the target's second curve, at least 0; see `keras_freq.cdes.target_density`.
        peak: Band of that curve, see there; `None`: half of the smaller side.
        radius: Cut-off below which an image keeps its own frequencies, at least 0, in index units.
        center: `"dc"` measures the bands of the density from DC; `"pixel"` half a bin off, as published.
        bins: `"inner"` leaves out the last band and, as published, the first, which is the mean color and
            would dwarf the others; `"all"` takes both.
        masks: `"complementary"`, or `"reference"` for the published pair, which leaves out a ring.
        noise: Strength of the noise as a share of the mean of an image, at least 0.
        similarity: Whether `f(x + n)` shall be near the `"noisy"` image, as in the published code, or the
            `"clean"` one, as in the paper.
        reduction: `"mean"` squares, as in the published code, or their `"sum"` over bands and pixels, as in
            the paper.
        rescale: What becomes of transformed images: `"minmax"` in every channel of every image, as published,
            `"clip"` to [0, 1], or `"none"`.
        seed: Seed of the first kernels, of the noise and of the order of the images, in [0, 2^31).

    Attributes:
        history: Losses by epoch: lists `"loss"`, `"density"`, `"similarity"`. Empty before `fit`.
        epochs: Number of epochs trained. The kernels after each of them are kept.
        target: The target density, `(bands,)`. `None` before `fit`.
        radii: Radius of each band. `None` before `fit`.

    Raises:
        ValueError: if an argument is outside its range.

    Source: Lin, Gao and Sang, "Investigating and Explaining the Frequency Bias in Image Classification",
        IJCAI 2022.
        Differs from the original: bands centered on DC; complementary masks; noise scaled
        by the mean of each image, not of the batch, so that neighbors do not matter; seeded; images shuffled;
        the kernels of the last epoch, not of the first, are used unless `epoch=` says otherwise.

    Example:
        >>> cdes = keras_freq.cdes.CDES(filters=4, kernel_size=3, seed=0)
        >>> history = cdes.fit(images, epochs=2, batch_size=4, verbose=0)
        >>> sorted(history), cdes.epochs
        (['density', 'loss', 'similarity'], 2)
        >>> cdes.transform(images).shape
        (8, 32, 32, 3)
    """

    def __init__(
        self,
        filters: int = 16,
        kernel_size: int = 7,
        rho: float = 1.0,
        *,
        peak: float | None = None,
        radius: float = 10,
        center: Center = "dc",
        bins: Bins = "inner",
        masks: Masks = "complementary",
        noise: float = 0.1,
        similarity: Similarity = "noisy",
        reduction: Reduction = "mean",
        rescale: Enhanced = "minmax",
        seed: int = 0,
    ):
        self.filters = check_whole(filters, "filters")
        self.kernel_size = check_whole(kernel_size, "kernel_size")
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received: kernel_size={kernel_size}")
        self.rho = check_number(rho, "rho", least=0)
        self.peak = None if peak is None else check_number(peak, "peak", least=0)
        self.radius = check_radius(radius)
        self.center: Center = check_choice(center, "center", ("dc", "pixel"))
        self.bins: Bins = check_choice(bins, "bins", ("all", "inner"))
        self.masks: Masks = check_choice(masks, "masks", MASKS)
        self.noise = check_number(noise, "noise", least=0)
        self.similarity: Similarity = check_choice(similarity, "similarity", ("noisy", "clean"))
        self.reduction: Reduction = check_choice(reduction, "reduction", ("mean", "sum"))
        self.rescale: Enhanced = check_choice(rescale, "rescale", RESCALES)
        self.seed = check_whole(seed, "seed", least=0, most=2**31 - 1)
        self.history: dict[str, list[float]] = {}
        self.target: np.ndarray | None = None
        self.radii: tuple[int, ...] | None = None
        self._kernels: list[list[np.ndarray]] = []
        # Compiled training steps by what they are compiled for; shared by copies with other seeds.
        self._compiled: dict[tuple, KernelModel] = {}

    def __repr__(self) -> str:
        settings = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"CDES({settings}, epochs={self.epochs})"

    @property
    def epochs(self) -> int:
        return len(self._kernels)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make the same object, untrained."""
        names = ("filters", "kernel_size", "rho", "peak", "radius", "center", "bins", "masks", "noise")
        return {name: getattr(self, name) for name in (*names, "similarity", "reduction", "rescale", "seed")}

    def with_seed(self, seed: int) -> CDES:
        """An untrained copy with another seed; it trains without compiling anew what this one compiled."""
        copy = CDES(**{**self.get_config(), "seed": seed})
        copy._compiled = self._compiled
        return copy

    def fit(
        self,
        images: np.ndarray,
        *,
        epochs: int = 20,
        batch_size: int = 100,
        learning_rate: float = 0.01,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        decay_every: int = 5,
        decay: float = 0.1,
        shuffle: bool = True,
        start: CDES | None = None,
        verbose: str | int = "auto",
        on_epoch: Callable[[int, dict[str, float]], None] | None = None,
    ) -> dict[str, list[float]]:
        """Train the kernels anew, by stochastic gradient descent with momentum.

        Args:
            images: `(n, height, width, channels)`, floats in [0, 1] or uint8.
            epochs: Passes over the images, at least 1.
            batch_size: Images per step, at least 1.
            learning_rate: First step size, above 0.
            momentum: In [0, 1).
            weight_decay: Weight of `|w|^2 / 2` of kernels and biases in the loss, at least 0.
            decay_every: The rate is multiplied by `decay` after so many epochs, at least 1.
            decay: Factor in (0, 1].
            shuffle: Whether every epoch takes the images in an order of its own.
            start: Trained kernels to begin with in place of drawn ones.
            verbose: Of `keras.Model.fit`: `1` shows a progress bar, `2` a line per epoch, `0` nothing.
            on_epoch: Called with the number of epochs done and their losses.

        Returns:
            `history`: the mean over the images of each epoch of the loss, and of its parts `"density"` and
            `"similarity"`; what is left of the loss is the part of the weight decay.

        Raises:
            ValueError: if images or an option are not as above, or a loss is not finite: then the rate is too
                high.
        """
        images = check_pixels(images, unit=True)
        epochs, batch_size = check_whole(epochs, "epochs"), check_whole(batch_size, "batch_size")
        rate = check_number(learning_rate, "learning_rate", above=0)
        momentum = check_number(momentum, "momentum", least=0, below=1)
        weight_decay = check_number(weight_decay, "weight_decay", least=0)
        decay_every = check_whole(decay_every, "decay_every")
        decay = check_number(decay, "decay", above=0, most=1)
        height, width, channels = images.shape[1:]
        radii, _ = azimuthal_radii(height, width, center=self.center, bins=self.bins)
        if len(radii) < 2:
            raise ValueError(
                f"Images must be large enough for two bands. Received: images of shape {images.shape}"
            )
        target = target_density(len(radii), size=min(height, width), rho=self.rho, peak=self.peak)
        model = self._compile_model(target, images.shape[1:], momentum, weight_decay)
        model.begin(self._first_kernels(channels, start), seed=self.seed)
        kept = KernelHistory(on_epoch)
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch: rate * decay ** (epoch // decay_every))
        feed = ArrayBatches(
            images, np.zeros(len(images), "int32"), batch_size=batch_size, shuffle=shuffle, seed=self.seed
        )
        model.fit(feed, epochs=epochs, shuffle=False, verbose=verbose, callbacks=[schedule, kept])
        # Only now: an interrupted or diverged training leaves the object as it was.
        self._kernels, self.history = kept.kernels, kept.history
        self.target, self.radii = target, tuple(radii.tolist())
        return self.history

    def _compile_model(
        self, target: np.ndarray, shape: tuple[int, ...], momentum: float, weight_decay: float
    ) -> KernelModel:
        """The compiled model that trains the kernels, made once for images of one shape."""
        key = (shape, momentum, weight_decay)
        if key not in self._compiled:
            model = KernelModel(
                (self.kernel_size, shape[-1], self.filters),
                target,
                center=self.center,
                bins=self.bins,
                noise=self.noise,
                similarity=self.similarity,
                reduction=self.reduction,
            )
            if weight_decay:
                # In the loss, as the published optimizer has it: its momentum gathers the decay too.
                for variable in model.kernels:
                    variable.regularizer = keras.regularizers.L2(weight_decay / 2)
            model.compile(keras.optimizers.SGD(momentum=momentum))  # the schedule sets the rate
            # Called here once: where `fit` does it, to build the model, a first training draws more noise
            # than a later one.
            model(np.zeros((1, *shape), "float32"))
            self._compiled[key] = model
        return self._compiled[key]

    def _first_kernels(self, channels: int, start: CDES | None) -> list[np.ndarray]:
        if start is None:
            return initial_kernels(channels, self.filters, self.kernel_size, seed=self.seed)
        kernels = start.kernels()
        expected = (self.kernel_size, self.kernel_size, channels, self.filters)
        if kernels[0].shape != expected:
            raise ValueError(f"`start` must have kernels of shape {expected}. Received: {kernels[0].shape}")
        return kernels

    def kernels(self, epoch: int | None = None) -> list[np.ndarray]:
        """The two kernels and biases, `[k1, b1, k2, b2]`, after an epoch.

        Args:
            epoch: Counted from 0, the first, as the published code does; negative numbers count from the
                end. Default: the last.

        Raises:
            ValueError: if the kernels are not trained, or for fewer epochs.
        """
        if not self._kernels:
            raise ValueError("The kernels must be trained first: call fit. Received: 0 epochs")
        if epoch is None:
            epoch = -1
        epoch = check_whole(epoch, "epoch", least=-self.epochs, most=self.epochs - 1)
        return [part.copy() for part in self._kernels[epoch]]

    def transform(
        self, images: np.ndarray, *, epoch: int | None = None, noise: bool = True, batch_size: int = 128
    ) -> np.ndarray:
        """Images with the high frequencies that the kernels make.

        Args:
            images: `(n, height, width, channels)`, floats in [0, 1] or uint8, or one image.
            epoch: Kernels of which epoch, see `kernels`.
            noise: Whether the kernels see the images with the noise that they were trained with. It follows
                from `seed` and the place of an image among `images`.
            batch_size: Images per step, at least 1.

        Returns:
            float32 images of the same shape, in the same order; in [0, 1] unless `rescale="none"`.

        Raises:
            ValueError: if the kernels are not trained, or the images have other channels.
        """
        kernels = [keras.ops.convert_to_tensor(part) for part in self.kernels(epoch)]
        images = check_pixels(images, unit=True, single=True)
        single = images.ndim == 3
        images = images[None] if single else images
        batch_size = check_whole(batch_size, "batch_size")
        random = np.random.default_rng([self.seed, 1])
        result = np.empty(images.shape, "float32")
        for begin in range(0, len(images), batch_size):
            batch = unit_float32(images[begin : begin + batch_size])
            added = np.zeros_like(batch)
            if noise and self.noise:
                scale = np.float32(self.noise) * batch.mean(axis=(1, 2, 3), keepdims=True)
                added = random.random(batch.shape, "float32") * scale
            enhanced = enhance_density(
                keras.ops.convert_to_tensor(batch),
                kernels,
                noise=keras.ops.convert_to_tensor(added),
                radius=self.radius,
                masks=self.masks,
                rescale=self.rescale,
            )
            result[begin : begin + len(batch)] = keras.ops.convert_to_numpy(enhanced)
        return result[0] if single else result

    def layer(self, *, epoch: int | None = None, **kwargs) -> SpectralDensityEnhancement:
        """A layer with these kernels, which does what `transform(noise=False)` does; of bytes 255 times that.

        Args:
            epoch: Kernels of which epoch, see `kernels`.
            **kwargs: `name`, `trainable`, `data_format` and so on of the layer.
        """
        options = {"radius": self.radius, "masks": self.masks, "rescale": self.rescale, **kwargs}
        return SpectralDensityEnhancement(self.kernels(epoch), **options)

    def save(self, path: str | os.PathLike) -> Path:
        """Write settings, history and the kernels of all epochs to one `.npz` file, whole or not at all."""
        self.kernels()  # says where there is nothing to save
        note = {"config": self.get_config(), "history": self.history, "radii": self.radii}
        arrays: dict[str, Any] = {"note": np.asarray(json.dumps(note)), "target": self.target}
        for number, parts in enumerate(zip(*self._kernels, strict=True)):
            arrays[f"part_{number}"] = np.stack(parts)
        return write_whole(path, lambda file: np.savez(file, **arrays))

    @classmethod
    def load(cls, path: str | os.PathLike) -> CDES:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if the file holds no kernels.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"There is no such file of kernels. Received: path={os.fspath(path)!r}")
        try:
            with Archive(path) as stored:
                note = json.loads(str(stored["note"]))
                target = stored["target"]
                parts = [stored[f"part_{k}"] for k in range(4)]
            loaded = cls(**note["config"])
            loaded._kernels = [list(kernels) for kernels in zip(*parts, strict=True)]
            loaded.history, loaded.target = note["history"], target
            loaded.radii = tuple(note["radii"])
            sound = target.shape == (len(loaded.radii),) and all(np.isfinite(part).all() for part in parts)
            if not sound or any(len(losses) != len(parts[0]) for losses in loaded.history.values()):
                raise ValueError("its parts do not fit each other")
        # What a note and parts of another kind raise.
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise ValueError(
                f"The file must be one that CDES.save wrote. Received: path={os.fspath(path)!r} ({reason})"
            ) from error
        return loaded
