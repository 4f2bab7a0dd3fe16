import keras

from keras_freq.callbacks import BandAccuracy
from keras_freq.data import ArrayBatches
from keras_freq.evaluate import band_accuracy


def test_rescales_the_filtered_images_of_batches(classifier, images, labels, eagerly):
    bands = BandAccuracy(ArrayBatches(images, labels, batch_size=3), radii=(2, 4.5), rescale="max")
    classifier.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), **eagerly)
    history = classifier.fit(images, labels, epochs=1, verbose=0, callbacks=[bands]).history
    result = bands.history[0][1]
    expected = band_accuracy(classifier, (images, labels), radii=(2, 4.5), rescale="max")
    assert (result.low, result.high, result.clean) == (expected.low, expected.high, expected.clean)
    assert result.settings["rescale"] == "max"
    assert bands.keys == ("clean", "low_2", "low_4.5", "high_2", "high_4.5")
    assert [history[key][0] for key in bands.keys] == [result.clean, *result.low, *result.high]
