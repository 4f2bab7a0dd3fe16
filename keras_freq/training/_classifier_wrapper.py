"""What the models share that train a classifier in a way of their own."""

from __future__ import annotations

import keras


class ClassifierWrapper(keras.Model):
    """A model that holds a classifier and, in inference, is the classifier alone.

    Subclasses name in `PARTS` the attributes that hold layers or `None`, and set them through `hold`. They
    add the rest of their settings in `get_config`.
    """

    PARTS: tuple[str, ...] = ("classifier",)

    def __init__(self, **kwargs):
        # Pixels reach the augmentation unrounded; the classifier casts them itself.
        super().__init__(autocast=False, **kwargs)

    def hold(self, *, classifier: keras.Model, **parts: keras.Layer | None) -> None:
        """Checks and keeps the classifier and the other layers."""
        if not isinstance(classifier, keras.Model):
            raise TypeError(f"`classifier` must be a Keras model. Received: type={type(classifier).__name__}")
        for name, layer in parts.items():
            if layer is not None and not isinstance(layer, keras.Layer):
                raise TypeError(
                    f"`{name}` must be a Keras layer or None. Received: type={type(layer).__name__}"
                )
        for name, layer in {"classifier": classifier, **parts}.items():
            setattr(self, name, layer)

    def build(self, input_shape):
        for name in self.PARTS:
            layer = getattr(self, name)
            if layer is not None and not layer.built:
                layer.build(input_shape)
        super().build(input_shape)

    def compute_output_shape(self, input_shape):
        return self.classifier.compute_output_shape(input_shape)

    def get_config(self):
        parts = {name: getattr(self, name) for name in self.PARTS}
        return {
            **super().get_config(),
            **{name: layer and keras.saving.serialize_keras_object(layer) for name, layer in parts.items()},
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        for name in cls.PARTS:
            config[name] = config[name] and keras.saving.deserialize_keras_object(
                config[name], custom_objects=custom_objects
            )
        return cls(**config)
