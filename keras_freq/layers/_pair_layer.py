"""What the layers share that mix every image of a batch with others of it."""

from __future__ import annotations

from typing import Literal

from keras_freq._core.checks import check_choice, check_interval, check_number
from keras_freq.layers._base import RandomFrequencyLayer
from keras_freq.spectral._backend import Array, as_array, library_of
from keras_freq.spectral._dft import Method


class PairLayer(RandomFrequencyLayer):
    """An augmentation that mixes images of a batch, with one coin per batch or one per image.

    Subclasses write `mix(images, draws)`, which is pure, and say in `DRAWS` how many uniform numbers it needs
    per image: `draws` has the shape `(DRAWS, batch)`, and the order of a row is a random permutation.
    """

    DRAWS = 1
    pixel_options = ("clip",)

    def __init__(
        self,
        *,
        probability: float,
        scope: Literal["batch", "sample"],
        clip: tuple[float, float] | None,
        method: Method,
        seed: int | None,
        data_format: str | None,
        **kwargs,
    ):
        super().__init__(seed=seed, data_format=data_format, **kwargs)
        self.probability = check_number(probability, "probability", least=0, most=1)
        self.scope = check_choice(scope, "scope", ("batch", "sample"))
        self.clip = None if clip is None else check_interval(clip, "clip")
        self.method = check_choice(method, "method", ("auto", "fft", "matmul"))

    def mix(self, images: Array, draws: Array) -> Array:
        raise NotImplementedError

    def draw_shape(self, batch, channels):
        return (self.DRAWS + 1, batch)

    def transform(self, images, draws):
        images = as_array(images)
        if len(images.shape) != 4:
            raise ValueError(
                f"{type(self).__name__} needs a batch (batch, height, width, channels): batch a dataset "
                f"before mapping it. Received: shape={tuple(images.shape)}"
            )
        xp = library_of(images)
        mixed = self.mix(images, draws[:-1])
        if self.clip is not None:
            mixed = xp.clip(mixed, *self.clip)
        return xp.where(self.toss(draws[-1]), mixed, xp.cast(images, mixed.dtype))

    def toss(self, draws: Array) -> Array:
        """Whether an image is mixed, `(batch, 1, 1, 1)`, or whether all are, `(1, 1, 1, 1)`."""
        coins = draws[:1] if self.scope == "batch" else draws
        return library_of(draws).reshape(coins, (-1, 1, 1, 1)) < self.probability

    def get_config(self):
        return {
            **super().get_config(),
            "probability": self.probability,
            "scope": self.scope,
            "clip": None if self.clip is None else list(self.clip),
            "method": self.method,
        }
