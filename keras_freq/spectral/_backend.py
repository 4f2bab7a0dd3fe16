"""The one file of `spectral` that knows the array libraries.

Every function of this package is written once, in NumPy's names, against an `ArrayLibrary`:

* NumPy arrays are computed by NumPy (float64 stays float64);
* tensors of the active Keras backend by `keras.ops`, with the backend's own real FFT and a matrix product in
  full float32;
* TensorFlow tensors while JAX or torch is active (what a layer meets inside `tf.data.Dataset.map`) by
  TensorFlow;
* `KerasTensor`s become a `SpectralOperation` node of the functional model.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import keras
import numpy as np

from keras_freq._core.checks import show
from keras_freq._core.one_line import call_with_short_errors

Array = Any  # a NumPy array or a tensor of one of the frameworks
Function = TypeVar("Function", bound=Callable[..., Any])


class ArrayLibrary(Protocol):
    """All that the functions of this package compute with. Each library below has every one of these."""

    name: str

    def abs(self, x: Array, /) -> Array: ...
    def arctan2(self, y: Array, x: Array, /) -> Array: ...
    def clip(self, x: Array, lowest: Array, highest: Array, /) -> Array: ...
    def cos(self, x: Array, /) -> Array: ...
    def exp(self, x: Array, /) -> Array: ...
    def floor(self, x: Array, /) -> Array: ...
    def log(self, x: Array, /) -> Array: ...
    def logical_and(self, x: Array, y: Array, /) -> Array: ...
    def maximum(self, x: Array, y: Array, /) -> Array: ...
    def minimum(self, x: Array, y: Array, /) -> Array: ...
    def round(self, x: Array, /) -> Array: ...
    def sin(self, x: Array, /) -> Array: ...
    def sqrt(self, x: Array, /) -> Array: ...
    def where(self, condition: Array, x: Array, y: Array, /) -> Array: ...

    def cumsum(self, x: Array, /, axis: int) -> Array: ...
    def max(self, x: Array, /, axis: Any = None, keepdims: bool = False) -> Array: ...
    def min(self, x: Array, /, axis: Any = None, keepdims: bool = False) -> Array: ...
    def sum(self, x: Array, /, axis: Any = None, keepdims: bool = False) -> Array: ...

    def arange(self, stop: Any, /) -> Array: ...
    def ones_like(self, x: Array, /) -> Array: ...
    def zeros_like(self, x: Array, /) -> Array: ...

    def argsort(self, x: Array, /) -> Array: ...
    def concatenate(self, parts: Any, /, axis: int) -> Array: ...
    def expand_dims(self, x: Array, axis: int, /) -> Array: ...
    def matmul(self, x: Array, y: Array, /) -> Array: ...
    def reshape(self, x: Array, shape: Any, /) -> Array: ...
    def roll(self, x: Array, shift: int, axis: int, /) -> Array: ...
    def squeeze(self, x: Array, axis: int, /) -> Array: ...
    def stack(self, parts: Any, /, axis: int) -> Array: ...
    def take(self, x: Array, indices: Array, /, axis: int | None = None) -> Array: ...
    def transpose(self, x: Array, axes: Any, /) -> Array: ...

    def cast(self, x: Array, dtype: Any, /) -> Array: ...

    def constant(self, values: Any, like: Array) -> Array:
        """Values in the floating type of `like`."""
        ...

    def indices(self, values: Any) -> Array:
        """Whole numbers to take entries by."""
        ...

    def shape(self, x: Array, /) -> tuple[Any, ...]:
        """The shape; sizes that are known only when the function runs are tensors."""
        ...

    def rfft2(self, x: Array) -> tuple[Array, Array]:
        """Real and imaginary part of the half spectrum over the last two axes."""
        ...

    def irfft2(self, re: Array, im: Array, height: int, width: int) -> Array:
        """The way back."""
        ...

    def filter2(self, x: Array, half_mask: Array) -> Array:
        """The half spectrum times a gain, and back."""
        ...

    def conv2d(self, x: Array, kernel: Array) -> Array:
        """Convolution of channels-last images, `same` size, zeros around."""
        ...

    def segment_sum(self, data: Array, segment_ids: Array, num_segments: Any, /) -> Array:
        """Sums of the entries with the same id."""
        ...


class NumPyLibrary:
    """NumPy."""

    name = "numpy"

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def cast(self, x, dtype):
        return np.asarray(x).astype(dtype)

    def constant(self, values, like):
        return np.asarray(values, dtype=like.dtype)

    def indices(self, values):
        return np.asarray(values, dtype="int64")

    def shape(self, x):
        return x.shape

    # SciPy's FFT takes several planes at once, which makes it up to seven times as fast as NumPy's.
    def rfft2(self, x):
        import scipy.fft

        spectrum = scipy.fft.rfft2(x)
        return spectrum.real, spectrum.imag

    def irfft2(self, re, im, height, width):
        import scipy.fft

        spectrum = np.empty(re.shape, np.result_type(re.dtype, "complex64"))
        spectrum.real, spectrum.imag = re, im
        return scipy.fft.irfft2(spectrum, s=(height, width), overwrite_x=True)

    def filter2(self, x, half_mask):
        import scipy.fft

        filtered = scipy.fft.irfft2(scipy.fft.rfft2(x) * half_mask, s=x.shape[-2:], overwrite_x=True)
        return filtered.astype(x.dtype, copy=False)

    def conv2d(self, x, kernel):
        height, width = kernel.shape[:2]
        top, left = (height - 1) // 2, (width - 1) // 2
        padded = np.pad(x, ((0, 0), (top, height - 1 - top), (left, width - 1 - left), (0, 0)))
        rows, columns = x.shape[1:3]
        return sum(
            padded[:, i : i + rows, j : j + columns] @ kernel[i, j]
            for i in range(height)
            for j in range(width)
        )

    def segment_sum(self, data, segment_ids, num_segments):
        return np.bincount(segment_ids, weights=data, minlength=num_segments).astype(data.dtype)


def _tensorflow_take(x, indices, axis=None):
    """`np.take` without the handling of negative indices that `keras.ops.take` adds, several times faster."""
    import tensorflow as tf

    return tf.gather(tf.reshape(x, [-1]) if axis is None else x, indices, axis=axis or 0)


def _tensorflow_rfft2(x):
    """`tf.signal.rfft2d`, which forgets the axes before planes of an unknown size."""
    import tensorflow as tf

    spectrum = tf.signal.rfft2d(x)
    if None in x.shape[-2:]:
        spectrum.set_shape([*x.shape[:-1], None])
    return spectrum


def _tensorflow_irfft2(spectrum, height, width):
    """The way back, with the same axes before."""
    import tensorflow as tf

    planes = tf.signal.irfft2d(spectrum, [height, width])
    if None in planes.shape[-2:]:
        planes.set_shape([*spectrum.shape[:-2], None, None])
    return planes


def _torch_rfft2(x):
    import torch

    if 0 in x.shape:  # MKL refuses a batch of none
        return torch.zeros((*x.shape[:-1], x.shape[-1] // 2 + 1), dtype=torch.complex64, device=x.device)
    return torch.fft.rfft2(x)


def _torch_irfft2(spectrum, height, width):
    import torch

    if 0 in spectrum.shape:
        return torch.zeros((*spectrum.shape[:-2], height, width), device=spectrum.device)
    return torch.fft.irfft2(spectrum, s=(height, width))


def _torch_extreme(name):
    import torch

    of_none, of_some = getattr(torch, f"a{name}"), getattr(keras.ops, name)

    def reduce(x, axis, keepdims=False):
        if 0 in x.shape:  # which Keras refuses
            return of_none(x, dim=axis, keepdim=keepdims)
        return of_some(x, axis, keepdims=keepdims)

    return reduce


class KerasLibrary:
    """The active backend through `keras.ops`; only what `keras.ops` lacks is written natively."""

    def __init__(self, backend: str):
        self.name = backend
        if backend == "tensorflow":
            import tensorflow as tf

            self.matmul = tf.matmul
            self.take = _tensorflow_take
            self.min, self.max = tf.reduce_min, tf.reduce_max  # Keras refuses a batch of none
            self._rfft2 = _tensorflow_rfft2
            self._irfft2 = _tensorflow_irfft2
            self._complex, self._real, self._imag = tf.complex, tf.math.real, tf.math.imag
            self._gain = lambda z, mask: z * tf.cast(mask, z.dtype)
        elif backend == "jax":
            import jax

            # TF32 and bfloat16, the defaults on accelerators, would cost 1e-3 to 1e-2 of the image.
            self.matmul = functools.partial(jax.numpy.matmul, precision="highest")
            self._rfft2 = jax.numpy.fft.rfft2
            self._irfft2 = lambda z, height, width: jax.numpy.fft.irfft2(z, (height, width))
            self._complex, self._real, self._imag = jax.lax.complex, jax.numpy.real, jax.numpy.imag
            self._gain = lambda z, mask: z * mask
        elif backend == "torch":
            import torch

            self.matmul = torch.matmul
            self._rfft2, self._irfft2 = _torch_rfft2, _torch_irfft2
            self.min, self.max = _torch_extreme("min"), _torch_extreme("max")
            self._complex, self._real, self._imag = torch.complex, torch.real, torch.imag
            self._gain = lambda z, mask: z * mask
        else:
            raise ValueError(
                "keras_freq runs on the backends tensorflow, jax and torch. "
                f"Received: keras.backend.backend()={show(backend)}"
            )

    def __getattr__(self, name: str) -> Any:
        return getattr(keras.ops, name)

    def conv2d(self, x, kernel):
        return keras.ops.conv(x, kernel, padding="same", data_format="channels_last")

    def constant(self, values, like):
        return keras.ops.convert_to_tensor(values, dtype=keras.backend.standardize_dtype(like.dtype))

    def indices(self, values):
        return keras.ops.convert_to_tensor(values, dtype="int32")

    def rfft2(self, x):
        spectrum = self._rfft2(x)
        return self._real(spectrum), self._imag(spectrum)

    def irfft2(self, re, im, height, width):
        return self._irfft2(self._complex(re, im), height, width)

    def filter2(self, x, half_mask):
        return self._irfft2(self._gain(self._rfft2(x), half_mask), *sides_of(x))


class TensorFlowLibrary:
    """TensorFlow under NumPy's names, for tensors that meet us while another backend is active."""

    name = "tensorflow"

    def __init__(self):
        import tensorflow as tf

        self.tf = tf
        self.abs, self.exp, self.round, self.sqrt = tf.abs, tf.exp, tf.round, tf.sqrt
        self.floor, self.log = tf.math.floor, tf.math.log
        self.sin, self.cos, self.arctan2 = tf.sin, tf.cos, tf.atan2
        self.maximum, self.minimum, self.clip = tf.maximum, tf.minimum, tf.clip_by_value
        self.where, self.logical_and = tf.where, tf.logical_and
        self.sum, self.min, self.max = tf.reduce_sum, tf.reduce_min, tf.reduce_max
        self.cumsum, self.segment_sum = tf.cumsum, tf.math.unsorted_segment_sum
        self.arange, self.ones_like, self.zeros_like = tf.range, tf.ones_like, tf.zeros_like
        self.concatenate, self.stack, self.squeeze = tf.concat, tf.stack, tf.squeeze
        self.reshape, self.transpose, self.expand_dims = tf.reshape, tf.transpose, tf.expand_dims
        self.argsort, self.roll, self.take = tf.argsort, tf.roll, _tensorflow_take
        self.cast, self.matmul = tf.cast, tf.matmul

    def conv2d(self, x, kernel):
        return self.tf.nn.conv2d(x, kernel, 1, "SAME")

    def constant(self, values, like):
        return self.tf.convert_to_tensor(np.asarray(values), dtype=like.dtype)

    def indices(self, values):
        return self.tf.convert_to_tensor(np.asarray(values), dtype="int32")

    def shape(self, x):
        dynamic = self.tf.shape(x)
        return tuple(dynamic[k] if size is None else size for k, size in enumerate(x.shape))

    def rfft2(self, x):
        spectrum = _tensorflow_rfft2(x)
        return self.tf.math.real(spectrum), self.tf.math.imag(spectrum)

    def irfft2(self, re, im, height, width):
        return _tensorflow_irfft2(self.tf.complex(re, im), height, width)

    def filter2(self, x, half_mask):
        spectrum = _tensorflow_rfft2(x)
        return _tensorflow_irfft2(spectrum * self.tf.cast(half_mask, spectrum.dtype), *sides_of(x))


_numpy_library = NumPyLibrary()
_keras_library = functools.cache(KerasLibrary)
_tensorflow_library = functools.cache(TensorFlowLibrary)


def is_tensorflow(x: Array) -> bool:
    """Whether `x` is a TensorFlow tensor; TensorFlow is not imported to find out."""
    tensor_type = getattr(sys.modules.get("tensorflow"), "Tensor", None)
    return tensor_type is not None and isinstance(x, tensor_type)


def is_foreign_tensorflow(x: Array) -> bool:
    """Whether `x` is a TensorFlow tensor while TensorFlow is not the active backend."""
    return is_tensorflow(x) and keras.backend.backend() != "tensorflow"


def has_values(x: Array) -> bool:
    """Whether `x` holds numbers now, outside of traced code."""
    if isinstance(x, np.ndarray):
        return True
    if isinstance(x, keras.KerasTensor):
        return False
    if keras.backend.backend() == "jax" and not is_foreign_tensorflow(x):
        import jax

        return not isinstance(x, jax.core.Tracer)
    if keras.backend.backend() == "torch" and not is_foreign_tensorflow(x):
        return x.device.type != "meta"
    return hasattr(x, "numpy")  # TensorFlow's tensors in a graph have none


def host_values(x: Array) -> np.ndarray | None:
    """The numbers of a tensor that lie in the memory of this process; `None` where it has none there, is
    traced or is differentiated, or where a `keras.distribution` is set."""
    if isinstance(x, np.ndarray):
        return x
    if not has_values(x) or is_distributed():
        return None
    if is_tensorflow(x):
        return x.numpy() if "CPU" in x.device else None
    if keras.backend.backend() == "jax":
        return np.asarray(x) if {device.platform for device in x.devices()} == {"cpu"} else None
    import torch

    if x.device.type != "cpu" or x.requires_grad or torch.compiler.is_compiling():
        return None
    if x.dtype == torch.bfloat16:  # of which NumPy has none
        return None
    return x.numpy()


def library_of(x: Array) -> ArrayLibrary:
    """The library that computes with `x`."""
    if isinstance(x, np.ndarray):
        return _numpy_library
    if is_foreign_tensorflow(x):
        return _tensorflow_library()
    if keras.ops.is_tensor(x):
        return _keras_library(keras.backend.backend())
    raise TypeError(
        "Images must be a NumPy array or a tensor of the active Keras backend "
        f"({keras.backend.backend()}). Received: type={type(x).__module__}.{type(x).__name__}"
    )


def sides_of(x: Array, first: int = -2) -> tuple[Any, Any]:
    """Height and width, axis `first` and the next: both as tensors where not both are known yet."""
    height, width = x.shape[first], x.shape[first + 1]
    if height is None or width is None:
        xp = library_of(x)
        height, width = (xp.cast(xp.shape(x)[axis], "int32") for axis in (first, first + 1))
    return height, width


def places_along(side: Any, like: Array) -> Array:
    """`0, 1, ..., side - 1` as whole numbers, whether the side is known yet or not."""
    xp = library_of(like)
    return xp.indices(np.arange(side)) if isinstance(side, int) else xp.cast(xp.arange(side), "int32")


def float_side(side: Any, like: Array) -> Any:
    """A side as a float, in the type of `like` where it is not known yet."""
    return float(side) if isinstance(side, int) else library_of(like).cast(side, like.dtype)


def as_array(x: Array) -> Array:
    """Turn lists, numbers and Keras variables into something `library_of` knows."""
    if isinstance(x, keras.Variable):
        return x.value
    if isinstance(x, (list, tuple, int, float, np.generic)):
        return np.asarray(x)
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise TypeError(f"Images and masks must be arrays or tensors. Received: {show(x)}")
    return x


def dtype_of(x: Array) -> str:
    """The dtype as Keras spells it, such as `"float32"`, whatever the library."""
    return keras.backend.standardize_dtype(x.dtype)


def is_floating(dtype: str) -> bool:
    return dtype.startswith(("float", "bfloat"))


def is_distributed() -> bool:
    """Whether a `keras.distribution` is set."""
    return keras.distribution.distribution() is not None


@keras.saving.register_keras_serializable(package="keras_freq")
class SpectralOperation(keras.Operation):
    """A function of this package as a node of a functional Keras model."""

    def __init__(self, function: str, options: dict, *, name: str | None = None):
        super().__init__(name=name)
        self.function, self.options = function, dict(options)

    def __call__(self, *tensors):
        return call_with_short_errors(super().__call__, *tensors)

    def call(self, *tensors):
        return _symbolic_functions[self.function][0](*tensors, **self.options)

    def compute_output_spec(self, *tensors):
        dtype = tensors[0].dtype
        dtype = dtype if is_floating(dtype) else "float32"
        shapes = _symbolic_functions[self.function][1](tensors[0].shape, **self.options)
        if isinstance(shapes, list):
            return tuple(keras.KerasTensor(shape, dtype=dtype) for shape in shapes)
        return keras.KerasTensor(shapes, dtype=dtype)

    def get_config(self):
        options = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in self.options.items()}
        return {"function": self.function, "options": options, "name": self.name}


_symbolic_functions: dict[str, tuple[Callable, Callable]] = {}


def symbolic(
    output_shape: Callable = lambda shape, **options: shape,
) -> Callable[[Function], Function]:
    """Let a function of images take `KerasTensor`s too.

    `output_shape(shape, **options)` gives the shape of the result, or a list of shapes for a function with
    several.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        _symbolic_functions[function.__name__] = (function, output_shape)

        @functools.wraps(function)
        def wrapper(*args, **options):
            if not any(isinstance(a, keras.KerasTensor) for a in (*args, *options.values())):
                return function(*args, **options)
            bound = signature.bind(*args, **options).arguments
            tensors = [value for value in bound.values() if isinstance(value, keras.KerasTensor)]
            settings = {k: v for k, v in bound.items() if not isinstance(v, keras.KerasTensor)}
            return SpectralOperation(function.__name__, settings)(*tensors)

        return cast(Function, wrapper)

    return decorate
