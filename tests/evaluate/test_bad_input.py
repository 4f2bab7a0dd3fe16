"""What the evaluations refuse, each with one line that says what was received."""

import keras
import numpy as np
import pytest

from keras_freq import shortcuts
from keras_freq.evaluate import (
    accuracy,
    adversarial_accuracy,
    band_accuracy,
    input_gradient_spectrum,
    minimal_adversarials,
    predict_logits,
)
from tests.refusals import refused

pytest.importorskip("foolbox")

NAN = float("nan")


def changed(x, value):
    x = x.copy()
    x[1, 0, 0, 0] = value
    return x


# name -> (call on model, images, labels; what the line says)
CASES = {
    "bands: negative radius": (lambda m, x, y: band_accuracy(m, (x, y), radii=(4, -1)), "`radii`"),
    "bands: NaN radius": (lambda m, x, y: band_accuracy(m, (x, y), radii=(NAN,)), "`radii`"),
    "bands: infinite radius": (lambda m, x, y: band_accuracy(m, (x, y), radii=(np.inf,)), "`radii`"),
    "bands: text radius": (lambda m, x, y: band_accuracy(m, (x, y), radii=("4",)), "`radii`"),
    "bands: no radius": (lambda m, x, y: band_accuracy(m, (x, y), radii=()), "`radii`"),
    "bands: unknown kind": (lambda m, x, y: band_accuracy(m, (x, y), kind="box"), "`kind`"),
    "bands: unknown layout": (lambda m, x, y: band_accuracy(m, (x, y), data_format="chw"), "`data_format`"),
    "bands: unknown rescaling": (lambda m, x, y: band_accuracy(m, (x, y), rescale="mean"), "`rescale`"),
    "bands: labels too high": (lambda m, x, y: band_accuracy(m, (x, y + 1)), "from 0 to 3"),
    "accuracy: labels too high": (lambda m, x, y: accuracy(m, (x, y + 1)), "from 0 to 3"),
    "accuracy: negative labels": (lambda m, x, y: accuracy(m, (x, y - 1)), "abel"),
    "accuracy: float labels": (lambda m, x, y: accuracy(m, (x, y + 0.5)), "abel"),
    "accuracy: fewer labels": (lambda m, x, y: accuracy(m, (x, y[:2])), "length"),
    "accuracy: empty": (lambda m, x, y: accuracy(m, (x[:0], y[:0])), ""),
    "accuracy: empty feed": (lambda m, x, y: accuracy(m, []), "empty"),
    "accuracy: NaN image": (lambda m, x, y: accuracy(m, (changed(x, NAN), y)), ""),
    "accuracy: rank 3": (lambda m, x, y: accuracy(m, (x[0], y)), ""),
    "logits: NaN image": (lambda m, x, y: predict_logits(m, changed(x, NAN)), ""),
    "attack: unknown": (
        lambda m, x, y: adversarial_accuracy(m, (x, y), attack="pgd"),
        "`attack` must be one of",
    ),
    "attack: minimal": (lambda m, x, y: adversarial_accuracy(m, (x, y), attack="deepfool"), "`attack`"),
    "attack: no epsilon": (lambda m, x, y: adversarial_accuracy(m, (x, y), epsilons=()), "`epsilons`"),
    "attack: negative epsilon": (
        lambda m, x, y: adversarial_accuracy(m, (x, y), epsilons=(-1,)),
        "`epsilons`",
    ),
    "attack: NaN epsilon": (
        lambda m, x, y: adversarial_accuracy(m, (x, y), epsilons=(0.1, NAN)),
        "`epsilons`",
    ),
    "attack: no steps": (lambda m, x, y: adversarial_accuracy(m, (x, y), steps=0), "`steps`"),
    "attack: step size 0": (lambda m, x, y: adversarial_accuracy(m, (x, y), step_size=0), "`step_size`"),
    "attack: n 0": (lambda m, x, y: adversarial_accuracy(m, (x, y), n=0), "`n`"),
    "attack: n too high": (lambda m, x, y: adversarial_accuracy(m, (x, y), n=5), "here 4. Received: n=5"),
    "attack: engine": (lambda m, x, y: adversarial_accuracy(m, (x, y), engine="art"), "`engine`"),
    "attack: seed": (lambda m, x, y: adversarial_accuracy(m, (x, y), seed=1.5), "`seed`"),
    "attack: labels too high": (lambda m, x, y: adversarial_accuracy(m, (x, y + 1)), "from 0 to 3"),
    "attack: out of bounds": (
        lambda m, x, y: adversarial_accuracy(m, (2 * x, y)),
        "range that the model takes",
    ),
    "attack: bounds": (lambda m, x, y: adversarial_accuracy(m, (x, y), bounds=(0, NAN)), "`bounds`"),
    "minimal: unknown": (lambda m, x, y: minimal_adversarials(m, (x, y), attack="hopskip"), "`attack`"),
    "minimal: epsilons": (
        lambda m, x, y: minimal_adversarials(m, (x, y), epsilons=(0.1,)),
        "fixed size only",
    ),
    "minimal: epsilon 0": (
        lambda m, x, y: minimal_adversarials(m, (x, y), attack="fgsm", epsilons=(0, 0.1)),
        "`epsilons` must be a finite number above 0",
    ),
    "minimal: steps": (lambda m, x, y: minimal_adversarials(m, (x, y), steps=-3), "`steps`"),
    "minimal: n too high": (lambda m, x, y: minimal_adversarials(m, (x, y), n=50), "Received: n=50"),
    "minimal: out of bounds": (
        lambda m, x, y: minimal_adversarials(m, (x - 1, y)),
        "range that the model takes",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refused(name, rng):
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(4)])
    use, says = CASES[name]
    with refused(says):
        use(model, rng.random((4, 8, 8, 3), dtype="float32"), np.arange(4))


@pytest.mark.parametrize(
    "use",
    [
        accuracy,
        adversarial_accuracy,
        band_accuracy,
        input_gradient_spectrum,
        minimal_adversarials,
        predict_logits,
        shortcuts.band_stop,
        lambda model, data: shortcuts.hfss(model, *data, budgets=(2,)),
    ],
)
def test_what_is_no_model_is_refused(use, images, labels):
    with pytest.raises(TypeError, match=r"Keras model. Received: model=None"):
        use(None, (images, labels))
