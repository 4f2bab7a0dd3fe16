"""MODEL in all its kinds, and what is assumed of it."""

import keras
import numpy as np
import pytest

import keras_freq as kf
from keras_freq._cli._data import open_data
from keras_freq._cli._models import OpenedModel, find_preprocess, open_model, read_range
from keras_freq._cli._subject import look_at, settle_range

MODULE = """
import keras
import keras_freq as kf

@keras.saving.register_keras_serializable("mine")
class Twice(keras.layers.Layer):
    def call(self, inputs):
        return inputs * 2

def plain():
    return keras.Sequential([keras.Input((8, 8, 3)), Twice(), keras.layers.Flatten(), keras.layers.Dense(2)])

def declared():
    return kf.Classifier(plain(), value_range=(0, 255), from_logits=True)

def darker(pixels):
    return pixels / 2

three = lambda: 3
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "my_module.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_module", raising=False)
    yield tmp_path
    keras.saving.get_custom_objects().pop("mine>Twice", None)


def test_a_function_of_the_working_folder_gives_a_model_or_a_classifier(mine):
    assert open_model("my_module:plain").range_from == ""
    opened = open_model("my_module.py:declared")
    assert (opened.classifier.value_range, opened.range_from) == ((0, 255), "as declared")
    told = open_model("my_module:declared", value_range="-1,1", preprocess="my_module:darker")
    assert told.classifier.value_range == (-1, 1)
    assert told.classifier.from_logits is True
    assert told.classifier.preprocess.__name__ == "darker"
    with pytest.raises(TypeError, match="which returned int"):
        open_model("my_module:three")


def test_a_file_with_layers_of_ones_own_names_the_option(mine):
    path = str(mine / "own.keras")
    open_model("my_module:plain").classifier.model.save(path)
    keras.saving.get_custom_objects().pop("mine>Twice")
    with pytest.raises(ValueError, match=r"holds Twice, .*--import MODULE. Received: .*own\.keras"):
        open_model(path)
    assert open_model(path, imports=["my_module.py"]).classifier.model.output_shape == (None, 2)


def test_a_file_with_a_lambda_is_not_run(tmp_path):
    path = tmp_path / "lambda.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x + 1)]).save(path)
    with pytest.raises(ValueError, match="Lambda layer can run any code"):
        open_model(str(path))


@pytest.mark.once
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("model.pth", "--backend torch"),
        ("model.h5", r"keras\.saving\.load_model\('model\.h5'\)\.save\('model\.keras'\)"),
        (".", "TFSMLayer"),
        ("none.keras", "no such file"),
        ("cifar10/standart", r"did you mean cifar10/standard\?"),
        ("no_module_of_this:name", "that can be imported"),
        ("json:nothing", "names no function"),
        ("keras.applications:ResNet51", "ResNet50"),
    ],
)
def test_other_texts_say_what_to_do(text, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, ImportError, FileNotFoundError), match=told) as caught:
        open_model(text)
    assert "\n" not in str(caught.value)
    assert "Received: " in str(caught.value)


@pytest.mark.once
def test_a_file_that_is_none_is_told(tmp_path):
    path = tmp_path / "broken.keras"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"whole \.keras file"):
        open_model(str(path))


def test_a_preprocess_of_keras_applications_takes_pixels_on_0_to_1(images):
    preprocess = find_preprocess("keras.applications:resnet50")
    expected = keras.applications.resnet50.preprocess_input(images * 255)
    tensor = keras.ops.convert_to_tensor(images)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(preprocess(tensor)), expected, atol=1e-3)
    assert preprocess.__name__ == "keras.applications.resnet50.preprocess_input"
    with pytest.raises(ValueError, match="Received: resnet51"):
        find_preprocess("keras.applications:resnet51")


def test_a_network_of_keras_applications_has_its_preprocess(monkeypatch):
    made = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(5)])
    monkeypatch.setattr(keras.applications, "MobileNetV2", lambda weights: made)
    opened = open_model("keras.applications:MobileNetV2")
    assert opened.classifier.preprocess.__name__ == "keras.applications.mobilenet_v2.preprocess_input"

    def offline(weights):
        raise Exception("URL fetch failure on https://example.org/weights.h5: None -- \n no network")

    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    with pytest.raises(OSError, match=r"be there to fetch. Received: keras\.applications:MobileNetV2"):
        open_model("keras.applications:MobileNetV2")


@pytest.mark.once
def test_a_reference_network_takes_pixels_on_0_to_1():
    opened = open_model("cifar10/standard")
    assert opened.classifier.value_range == (0, 1)
    assert (opened.origin, opened.range_from) == ("reference network", "as declared")


@pytest.mark.once
def test_ranges_of_texts():
    assert read_range("0,255") == (0, 255)
    for text in ("0-255", "1", "1,2,3", "a,b"):
        with pytest.raises(ValueError, match="Received: --value-range"):
            read_range(text)


def test_the_range_is_the_one_in_which_the_model_is_clearly_better(brightness):
    path, images = brightness
    classifier, told = settle_range(open_model(str(path)), open_data(str(images)))
    assert classifier.value_range == (0, 255)
    tried = "50 of 100 with 0 to 1, 100 of 100 with 0 to 255"
    assert told.startswith(f"the best of those tried: right for {tried}")
    subject = look_at(open_model(str(path)), open_data(str(images)))
    assert float(subject.clean) == 1
    assert subject.assumed[-1] == "clean    accuracy 1.0000 of 100 images"
    declared = look_at(open_model(str(path), value_range="0,1"), open_data(str(images)))
    assert float(declared.clean) == 0.5
    assert "(as given)" in declared.assumed[2]


def test_images_are_turned_for_a_model_with_channels_first(arrays, rng):
    inputs = keras.Input((3, 32, 32))
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(inputs)))
    data = open_data(str(arrays))
    subject = look_at(OpenedModel(kf.Classifier(model, value_range=(0, 1)), "made here", "as given"), data)
    assert subject.data.images.shape == (24, 3, 32, 32)
    expected = model.predict(np.moveaxis(data.images / 255, -1, 1), verbose=0).argmax(-1) == data.labels
    assert float(subject.clean) == pytest.approx(expected.mean())


def test_first_layers_tell_the_range_of_bytes_and_of_floats(classifier, tmp_path, rng):
    model = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Rescaling(1 / 255), classifier])
    model.save(tmp_path / "bytes.keras")
    images, labels = rng.integers(0, 256, (12, 32, 32, 3), "uint8"), np.arange(12) % 4
    np.savez(tmp_path / "bytes.npz", x=images, y=labels)
    np.savez(tmp_path / "floats.npz", x=(images / 255).astype("float32"), y=labels)
    opened = open_model(str(tmp_path / "bytes.keras"))
    expected = kf.evaluate.accuracy(classifier, ((images / 255).astype("float32"), labels))
    for name in ("bytes.npz", "floats.npz"):
        subject = look_at(opened, open_data(str(tmp_path / name)))
        assert "pixels 0 to 255 (as its first layers tell)" in subject.assumed[2]
        assert subject.clean.correct_per_class == expected.correct_per_class
