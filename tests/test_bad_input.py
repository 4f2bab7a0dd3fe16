"""Bad input gives one clear line: what was wrong, what is allowed, what was received."""

import numpy as np
import pytest

import keras_freq as kf

X = np.zeros((2, 8, 8, 3), "float32")
layers, spectral = kf.layers, kf.spectral
CASES = {
    # name: (what is done, error, what the line says, what it says was received)
    "radius below 0": (lambda: spectral.low_pass(X, -1), ValueError, "at least 0", "radius=-1"),
    "radius no number": (lambda: spectral.disk_mask(8, 8, "big"), ValueError, "at least 0", "radius='big'"),
    "radius nan": (lambda: layers.LowPass(float("nan")), ValueError, "at least 0", "radius=nan"),
    "band the wrong way round": (lambda: spectral.band_pass(X, 5, 3), ValueError, "`high`", "low=5, high=3"),
    "kind unknown": (lambda: layers.HighPass(3, kind="bessel"), ValueError, "'butterworth'", "kind='bessel'"),
    "order 0": (lambda: layers.LowPass(3, kind="butterworth", order=0), ValueError, "above 0", "order=0"),
    "units unknown": (lambda: spectral.disk_mask(8, 8, 3, units="hertz"), ValueError, "'index'", "'hertz'"),
    "method unknown": (lambda: spectral.low_pass(X, 3, method="fast"), ValueError, "'matmul'", "'fast'"),
    "size 0": (lambda: spectral.radial_distance(0, 8), ValueError, "from 1 to 65536", "height=0"),
    "images of rank 2": (lambda: spectral.low_pass(X[0, :, :, 0], 3), ValueError, "shape (batch", "(8, 8)"),
    "images without pixels": (lambda: spectral.low_pass(X[:, :0], 3), ValueError, "not 0", "(2, 0, 8, 3)"),
    "images of text": (lambda: spectral.low_pass("cat.png", 3), TypeError, "arrays or tensors", "'cat.png'"),
    "complex images": (lambda: spectral.low_pass(X + 1j, 3), TypeError, "floating or integer", "complex"),
    "layout unknown": (
        lambda: layers.LowPass(3, data_format="nhwc"),
        ValueError,
        "'channels_last'",
        "'nhwc'",
    ),
    "mask of another size": (
        lambda: spectral.apply_mask(X, np.ones((8, 9))),
        ValueError,
        "images' size (8, 8)",
        "mask.shape=(8, 9)",
    ),
    "mask of rank 3": (
        lambda: layers.FrequencyMask(np.ones((8, 8, 3))),
        ValueError,
        "(height, width)",
        "(8, 8, 3)",
    ),
    "mask not Hermitian": (
        lambda: layers.FrequencyMask(np.triu(np.ones((8, 8)), 2)),
        ValueError,
        'symmetrize="mean"',
        "entries that differ from their conjugate partner, at (0, 1)",
    ),
    "mask with nan": (
        lambda: layers.FrequencyMask(np.full((8, 8), np.nan)),
        ValueError,
        "finite",
        "64 entries",
    ),
    "recombine of two sizes": (
        lambda: spectral.recombine(X, X[:, :4]),
        ValueError,
        "same shape",
        "phase_of.shape=(2, 4, 8, 3)",
    ),
    "axes unknown": (lambda: layers.APRPair(axes="hwc"), ValueError, "'chw', 'hw'", "axes='hwc'"),
    "basis outside": (lambda: spectral.fourier_basis(8, 8, 8, 0), ValueError, "0 to 7", "i=8"),
    "map of rank 1": (
        lambda: spectral.azimuthal_average(np.ones(8)),
        ValueError,
        "(..., height, width)",
        "(8,)",
    ),
    "no inner bins": (
        lambda: spectral.azimuthal_average(np.ones((2, 2)), bins="inner"),
        ValueError,
        'bins="all"',
        "bins='inner'",
    ),
    "probability above 1": (
        lambda: layers.APRPair(probability=1.5),
        ValueError,
        "in [0, 1]",
        "probability=1.5",
    ),
    "level 0": (lambda: layers.APRSingle(level=0), ValueError, "in [0.1, 10]", "level=0"),
    "operation unknown": (lambda: layers.APRSingle(operations=["blur"]), ValueError, "'equalize'", "'blur'"),
    "no operations": (lambda: layers.APRSingle(operations=[]), ValueError, "at least one", "operations=[]"),
    "overflow unknown": (
        lambda: layers.APRSingle(overflow="cut"),
        ValueError,
        "'clip', 'wrap'",
        "overflow='cut'",
    ),
    "value range": (
        lambda: layers.APRSingle(value_range=(1, 0)),
        ValueError,
        "lower first",
        "value_range=(1, 0)",
    ),
    "clip": (lambda: layers.APRPair(clip=0.5), ValueError, "two finite numbers", "clip=0.5"),
    "one image to APR-P": (
        lambda: layers.APRPair().transform(X[0], X),
        ValueError,
        "needs a batch",
        "(8, 8, 3)",
    ),
    "empty band of noise": (
        lambda: layers.FourierNoise(band=(7, 8))(X, training=True),
        ValueError,
        "no frequency",
        "band=(7.0, 8.0)",
    ),
    "band of noise": (lambda: layers.FourierNoise(band=3), ValueError, "two radii", "band=3"),
    "padding below 0": (lambda: layers.CropFlip(-1), ValueError, "at least 0", "padding=-1"),
    "padding to reflect": (
        lambda: layers.CropFlip(8, mode="reflect").apply_stateless(X, 0),
        ValueError,
        "smaller than the images, here 8x8",
        "padding=8",
    ),
    "strength below 0": (lambda: layers.FourierNoise(strength=-1), ValueError, "at least 0", "strength=-1"),
    "stateless seed": (
        lambda: layers.FourierNoise().apply_stateless(X, 1.5),
        TypeError,
        "an integer",
        "seed=1.5",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_clear_line(case):
    action, error, says, received = CASES[case]
    with pytest.raises(error) as raised:
        action()
    # Keras adds lines about the call of a layer behind the layer's own.
    line = str(raised.value).split("\n\nArguments received by")[0].strip()
    if line.startswith("Exception encountered when calling"):
        line = line.splitlines()[-1]
    assert "\n" not in line
    assert says.lower() in line.lower()
    before, _, after = line.partition("Received: ")
    assert len(before) > 10
    assert received in (after if after else before), line
    assert "Received: " in line
