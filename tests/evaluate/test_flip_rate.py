"""Flip probability and top-5 distance: in float64 by hand, from arrays, feeds and files."""

import itertools

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq.data import perturb
from keras_freq.evaluate import flip_rate
from keras_freq.evaluate._flip_rate import compare_frames, first_classes
from tests.refusals import refused

pytest.importorskip("scipy")
NAMES = ("gaussian_noise", "translate", "tilt")


@pytest.fixture
def levels(rng):
    """Blocks of random colors."""
    return np.kron(rng.integers(0, 256, (8, 8, 8, 3)), np.ones((4, 4, 1))).astype("uint8")


@pytest.fixture
def model():
    """Seven classes, of which places decide: it changes its mind now and then."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input((32, 32, 3))
    x = keras.layers.AveragePooling2D(8)(inputs)
    x = keras.layers.Flatten()(x)
    return kf.Classifier(keras.Model(inputs, keras.layers.Dense(7)(x), name="places"), value_range=(0, 1))


def pairs_of(frames, difficulty, noisy):
    """Which frames are compared, sub-sequence by sub-sequence."""
    if noisy:
        return [(0, later) for later in range(1, frames)]
    series = [list(range(start, frames, difficulty)) for start in range(difficulty)]
    return [pair for one in series for pair in itertools.pairwise(one)]


def by_hand(logits, difficulty, noisy):
    """FP and T5D of float64 `(n, frames, classes)`, class by class."""
    flips, distances = [], []
    for sequence in logits:
        pairs = pairs_of(len(sequence), difficulty, noisy)
        flips.append(np.mean([sequence[s].argmax() != sequence[t].argmax() for s, t in pairs]))
        moved = []
        for s, t in pairs:
            order = [sorted(range(len(row)), key=lambda c, row=row: (-row[c], c)) for row in sequence[[s, t]]]
            total = 0
            for i, label in enumerate(order[0][:5], start=1):
                total += abs(min(i, 6) - min(order[1].index(label) + 1, 6))
            moved.append(total)
        distances.append(np.mean(moved))
    return np.mean(flips), np.mean(distances)


@pytest.mark.once
@pytest.mark.parametrize("classes", [2, 4, 5, 6, 12])
@pytest.mark.parametrize("noisy", [False, True])
def test_both_measures_are_those_of_the_loops(rng, classes, noisy):
    for difficulty in (1, 2, 3):
        # Small whole numbers: many ties, which the first class wins.
        logits = rng.integers(0, 5, (4, 11, classes)).astype("float64")
        flips, distances = compare_frames(first_classes(logits), difficulty, noisy=noisy)
        assert flips.shape == distances.shape == (4, 10 if noisy else 11 - difficulty)
        expected = by_hand(logits, difficulty, noisy)
        np.testing.assert_allclose((flips.mean(), distances.mean()), expected, atol=1e-12)


@pytest.mark.once
def test_known_distances():
    up = np.arange(12.0)
    rows = {
        "same": (up, 0, 0),
        "two first swapped": (np.array([*range(10), 11, 10]), 1, 2),
        "fifth and sixth swapped": (np.array([*range(6), 7, 6, *range(8, 12)]), 0, 1),
        "turned round": (-up, 1, 5 + 4 + 3 + 2 + 1),
        "undefined": (np.full(12, np.nan), 1, 15),
        "without a largest": (np.array([*range(11), np.inf]), 1, 15),
    }
    for name, (row, flip, distance) in rows.items():
        flips, distances = compare_frames(first_classes(np.stack([up, row])[None]), 1, noisy=False)
        assert (int(flips.item()), distances.item()) == (flip, distance), name
    even = np.full((1, 2, 12), np.nan)
    flips, distances = compare_frames(first_classes(even), 1, noisy=False)
    assert (flips.item(), distances.item()) == (True, 15)
    # Minus infinity is a logit like others.
    low = np.array([3.0, -np.inf, 1, 2, -np.inf, -np.inf, -np.inf])
    assert first_classes(low).tolist() == [0, 3, 2, 1, 4]


@pytest.mark.parametrize("difficulty", [1, 3])
def test_measures_of_a_model_on_its_sequences(model, levels, labels, difficulty):
    result = flip_rate(
        model, (levels, labels), perturbations=NAMES, difficulty=difficulty, seed=5, batch_size=3
    )
    assert result.perturbations == NAMES
    assert (result.n, result.difficulty, result.undefined) == (8, difficulty, 0)
    expected = []
    for name in NAMES:
        frames = perturb(levels, name, difficulty=difficulty, seed=5)
        flat = frames.reshape(-1, 32, 32, 3).astype("float32") / 255
        logits = keras.ops.convert_to_numpy(model.model(flat, training=False))
        logits = logits.reshape(*frames.shape[:2], -1).astype("float64")
        expected.append(by_hand(logits, difficulty, name == "gaussian_noise"))
    probabilities, distances = np.transpose(expected)
    assert probabilities.max() > 0
    np.testing.assert_allclose(result.flip_probabilities, probabilities, atol=1e-12)
    np.testing.assert_allclose(result.top5_distances, distances, atol=1e-12)
    assert result.mean == float(result) == pytest.approx(probabilities.mean())
    assert result.mean_top5_distance == pytest.approx(distances.mean())
    assert result.flip_rates == ()
    assert np.isnan(result.mean_flip_rate)
    assert [row["flip_probability"] for row in result.rows()] == list(result.flip_probabilities)
    assert "mean_flip_rate" not in str(result)


def test_every_form_of_data_gives_the_same(model, levels, labels, tmp_path):
    options = {"perturbations": NAMES, "seed": 1, "difficulty": 2}
    arrays = flip_rate(model, (levels, labels), **options)
    listed = [(levels[:5] / np.float32(255), labels[:5]), (levels[5:] / np.float32(255), labels[5:])]
    np.save(tmp_path / "gaussian_noise_2.npy", perturb(levels, NAMES[0], difficulty=2, seed=1))
    for name in NAMES[1:]:
        np.save(tmp_path / f"{name}.npy", perturb(levels, name))
    for data in (levels, kf.data.ArrayBatches(levels, labels, batch_size=5), listed, iter(listed), tmp_path):
        other = flip_rate(model, data, **options)
        assert other.flip_probabilities == arrays.flip_probabilities
        assert other.top5_distances == arrays.top5_distances
        assert other.n == 8
    plain = flip_rate(model.model, levels / np.float32(255), **options)
    assert plain.flip_probabilities == arrays.flip_probabilities
    with refused("There is no gaussian_noise_3.npy", error=FileNotFoundError):
        flip_rate(model, tmp_path, perturbations=NAMES, difficulty=3)
    np.save(tmp_path / "tilt.npy", perturb(levels[:2], "tilt"))
    with refused("all files must hold as many sequences"):
        flip_rate(model, tmp_path, **options)
    np.save(tmp_path / "tilt.npy", levels)
    with refused("must hold uint8 sequences"):
        flip_rate(model, tmp_path, **options)


def test_memory_holds_a_block_at_a_time(model, levels, monkeypatch):
    options = {"perturbations": ("snow", "shot_noise")}
    whole = flip_rate(model, levels, **options)
    sizes = []
    made = kf.evaluate._flip_rate.perturb

    def watched(images, *arguments, **named):
        sizes.append(len(images))
        return made(images, *arguments, **named)

    monkeypatch.setattr(kf.evaluate._flip_rate, "perturb", watched)
    monkeypatch.setattr(kf.evaluate._flip_rate, "_BLOCK", 3 * 31 * 32 * 32 * 3)
    assert flip_rate(model, levels, **options) == whole
    assert sizes == [3, 3, 2] * 2


def test_rates_are_relative_to_the_reference(model, levels):
    result = flip_rate(model, levels, perturbations=("translate", "rotate"))
    halved = {"rotate": result.flip_probabilities[1] / 2, "translate": result.flip_probabilities[0] * 4}
    for reference, rates in ((result, (1, 1)), (halved, (0.25, 2))):
        relative = flip_rate(model, levels, perturbations=("translate", "rotate"), reference=reference)
        assert relative.flip_rates == pytest.approx(rates)
        assert relative.mean_flip_rate == pytest.approx(np.mean(rates))
        assert "mean_flip_rate" in str(relative)
    for reference, says in (
        ({"translate": 0.5}, "`reference['rotate']` must be a finite number above 0"),
        ({"translate": 0.5, "rotate": 0}, "Received: reference['rotate']=0"),
        ("alexnet", "`reference` must be a result or a mapping"),
    ):
        with refused(says):
            flip_rate(model, levels, perturbations=("translate", "rotate"), reference=reference)
    with refused("`reference` must have difficulty 2"):
        flip_rate(model, levels, perturbations=("translate",), difficulty=2, reference=result)


def test_undefined_frames_are_flips(levels):
    inputs = keras.Input((32, 32, 3))
    dark = keras.ops.mean(inputs, axis=(1, 2, 3))[:, None] < 0.3
    logits = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.ops.where(dark, np.float32("nan"), logits))
    frames = perturb(levels, "scale") / 255
    broken = frames.mean(axis=(2, 3, 4)) < 0.3
    assert 0 < broken.sum() < broken.size
    result = flip_rate(model, levels / np.float32(255), perturbations=("scale",))
    assert result.undefined == broken.sum()
    chosen = frames.mean(axis=(2, 3)).argmax(-1)
    flips = broken[:, 1:] | broken[:, :-1] | (chosen[:, 1:] != chosen[:, :-1])
    assert float(result) == pytest.approx(flips.mean(), abs=0.01)


def test_channels_first(levels, tmp_path):
    if keras.backend.backend() == "tensorflow":
        pytest.skip("no pooling of channels first on the CPU")
    inputs = keras.Input((3, 32, 32))
    x = keras.layers.AveragePooling2D(8, data_format="channels_first")(inputs)
    first = keras.Model(inputs, keras.layers.Dense(6)(keras.layers.Flatten()(x)))
    images = np.moveaxis(levels, -1, 1)
    np.save(tmp_path / "tilt.npy", perturb(levels, "tilt"))
    result = flip_rate(first, images, perturbations=("tilt",))
    assert flip_rate(first, tmp_path, perturbations=("tilt",)).flip_probabilities == result.flip_probabilities


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"perturbations": ("fog",)}, "`perturbations` must hold some of 'gaussian_noise'"),
        ({"perturbations": ()}, "`perturbations` must hold some of"),
        ({"difficulty": 0}, "`difficulty` must be a whole number from 1 to 3"),
        ({"size": 64}, "'motion_blur' has no numbers for 64 pixels"),
        ({"size": 99}, "`size` must be 'auto', 32, 64 or 224"),
        ({"seed": -1}, "`seed` must be a whole number"),
    ],
)
def test_wrong_options_are_one_line(model, levels, options, says):
    with refused(says):
        flip_rate(model, levels, **options)
