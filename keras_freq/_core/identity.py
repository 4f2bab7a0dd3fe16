"""What tells a model from others: its weights, its layers, and what stands in front of it."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import marshal
import types
import warnings
from typing import Any

import keras
import numpy as np

from keras_freq._core.classifier import Classifier
from keras_freq._core.layer_chain import find_layers, inner_layers

# What no output follows from in inference, or what is another each time a layer is made.
_NO_MATTER = {"seed", "trainable", "compile_config", "build_config", "registered_name", "shared_object_id"}
_NO_MATTER_ENDS = ("_initializer", "_regularizer", "_constraint")
# Where the configuration of a functional model names its layers.
_LINKS = {"keras_history", "input_layers", "output_layers"}


def identify(classifier: Classifier) -> dict[str, str]:
    """Digests of what the outputs of a model follow from, the same where equal code builds it again.

    Keras' names of layers do not count. Of a class that cannot tell its settings, and of a module of PyTorch,
    what the code computes is not known: its name counts, and what is inside it.

    Returns:
        `{"weights": …, "layers": …}`, and `"preprocess"` where something stands in front of the model.
    """
    model, front = classifier.model, classifier.front
    found = {"weights": weights_digest(model), "layers": _digest(_Description().of(model))}
    if front is not None:
        found["preprocess"] = _digest(_Description(weights=True).of(front))
    return found


def weights_digest(model: keras.Layer) -> str:
    """Digest of the values, shapes and types of a built model's weights, the same on every backend."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(f"{tuple(weight.shape)} {weight.dtype};".encode())
        digest.update(np.ascontiguousarray(keras.ops.convert_to_numpy(weight)).tobytes())
    return digest.hexdigest()


def _digest(description: Any) -> str:
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


class _Description:
    """Layers, functions and their settings as plain values. `weights`: with the weights of layers, too."""

    def __init__(self, *, weights: bool = False):
        self._weights = weights
        self._seen: dict[int, Any] = {}  # held, so that nothing new takes the place of one
        self._numbers: dict[str, int] = {}  # of the layers of functional models, by name

    def of(self, value: Any) -> Any:
        """A value of any kind."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, dict):
            return self._of_settings(value)
        if isinstance(value, (list, tuple)):
            return [self.of(one) for one in value]
        if isinstance(value, (set, frozenset)):
            return sorted(map(repr, value))
        if isinstance(value, (bytes, np.dtype, np.generic, complex)):
            return repr(value)
        if isinstance(value, (np.ndarray, keras.Variable)) or keras.ops.is_tensor(value):
            array = np.ascontiguousarray(keras.ops.convert_to_numpy(value))
            return [array.dtype.name, array.shape, hashlib.sha256(array.tobytes()).hexdigest()]
        if id(value) in self._seen:
            return "as before"
        self._seen[id(value)] = value
        if isinstance(value, keras.Layer):
            return [weights_digest(value) if self._weights else None, self._of_layer(value)]
        if isinstance(value, types.CodeType):
            return [value.co_code.hex(), value.co_names, self.of(value.co_consts)]
        if isinstance(value, types.FunctionType):
            return self._of_function(value)
        if isinstance(value, types.MethodType):
            return [self.of(value.__func__), self.of(value.__self__)]
        if isinstance(value, functools.partial):
            return [self.of(value.func), self.of(value.args), self.of(value.keywords)]
        inner = getattr(value, "python_function", None) or getattr(value, "__wrapped__", None)
        if inner is not None:  # of tf.function, jax.jit and decorators
            return self.of(inner)
        if isinstance(value, (type, types.ModuleType, types.BuiltinFunctionType, keras.random.SeedGenerator)):
            return _name(value)
        return [_name(value), self.of(getattr(value, "__dict__", None))]

    def _of_layer(self, layer: keras.Layer) -> Any:
        if isinstance(layer, keras.layers.TorchModuleWrapper):
            return repr(layer.module)
        with warnings.catch_warnings():  # of functions without a name, which nobody saves here
            warnings.simplefilter("ignore")
            try:
                config = layer.get_config()
            except Exception:  # Keras refuses where a class has none; then what is inside must do
                config = {"layers": inner_layers(layer)}
        functions = [one.function for one in find_layers(layer, keras.layers.Lambda)]
        return [_name(type(layer)), self.of(config), self.of(functions)]

    def _of_settings(self, settings: dict) -> Any:
        if settings.get("class_name") == "__lambda__":  # marshaled, with the place of its source
            rest = dict(settings["config"])
            code = marshal.loads(base64.b64decode(rest.pop("code")))
            return [self.of(code), self.of(rest)]
        if str(settings.get("class_name")).endswith("Policy"):  # of dtypes, by whose name all is said
            return repr(settings["config"])
        if isinstance(settings.get("name"), str):
            self._numbers.setdefault(settings["name"], len(self._numbers))
        found = {}
        for name, value in settings.items():
            if name in _LINKS:
                found[name] = self._of_links(value)
            elif name not in {"name", *_NO_MATTER} and not str(name).endswith(_NO_MATTER_ENDS):
                found[str(name)] = self.of(value)
        return found

    def _of_links(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return [self._of_links(one) for one in value]
        if isinstance(value, dict):
            return {name: self._of_links(one) for name, one in value.items()}
        return self._numbers.get(value, value) if isinstance(value, str) else value

    def _of_function(self, function: types.FunctionType) -> Any:
        names, inner = set[str](), [function.__code__]
        while inner:
            code = inner.pop()
            names.update(code.co_names)
            inner += [one for one in code.co_consts if isinstance(one, types.CodeType)]
        around = {name: function.__globals__[name] for name in names if name in function.__globals__}
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        settings = [
            function.__defaults__,
            function.__kwdefaults__,
            cells,
            [around[n] for n in sorted(around)],
        ]
        return [self.of(function.__code__), self.of(settings)]


def _name(value: Any) -> str:
    kind = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(kind, '__module__', '')}.{getattr(value, '__name__', kind.__qualname__)}"
