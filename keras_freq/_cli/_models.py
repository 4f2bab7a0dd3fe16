"""MODEL of the command line: a classifier, of a file, a function, or a network with weights."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import importlib.util
import os
import pkgutil
import re
import sys
import traceback
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_freq._core.classifier import Classifier

_DECLARED = ("value_range", "preprocess", "output", "from_logits", "data_format", "mean")
_APPLICATIONS = "keras.applications"


@dataclass(frozen=True)
class OpenedModel:
    """A classifier, and where it is from.

    Attributes:
        classifier: The model with what was declared of it.
        origin: Where it is from, in words.
        range_from: What told the range of its pixels; empty where nothing has.
    """

    classifier: Classifier
    origin: str
    range_from: str = ""


def open_model(
    text: str,
    *,
    value_range: Sequence[float] | str | None = None,
    preprocess: Callable | str | None = None,
    output: str | int | None = None,
    from_logits: bool | None = None,
    data_format: str | None = None,
    imports: Sequence[str] = (),
) -> OpenedModel:
    """The model that MODEL names.

    Args:
        text: Path of a `.keras` file, `module:function`, the name of a reference network, or
            `keras.applications:NAME`.
        value_range: As of `keras_freq.Classifier`, or its text, `0,255`; so are the others.
        preprocess: A function, `module:function`, or `keras.applications:MODULE`.
        output: Name or index of the output.
        from_logits: Whether outputs are logits.
        data_format: Layout of the images.
        imports: Modules, or files of Python, to import first: they register the model's own layers.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the name is none of those, or the model cannot be read.
        TypeError: If the function returns something else than a model.
    """
    from keras_freq._core.classifier import Classifier

    given = {
        "value_range": read_range(value_range),
        "preprocess": find_preprocess(preprocess) if isinstance(preprocess, str) else preprocess,
        "output": int(output) if isinstance(output, str) and re.fullmatch(r"-?\d+", output) else output,
        "from_logits": from_logits,
        "data_format": data_format,
    }
    for module in imports:
        _import(module)
    model, own, origin = _find(text)
    if isinstance(model, Classifier):
        own = {name: getattr(model, name) for name in _DECLARED} | own
        model = model.model
    declared = own | {name: value for name, value in given.items() if value is not None}
    if given["value_range"] is not None:
        source = "as given"
    elif declared.get("preprocess") is not None:
        source = "of pixels, before preprocess"
    else:
        source = "as declared" if declared.get("value_range") is not None else ""
    return OpenedModel(Classifier(model, **declared), origin, source)


def read_range(text: Sequence[float] | str | None) -> Sequence[float] | None:
    """A range of pixels of its text: `0,255`."""
    if text is None or not isinstance(text, str):
        return text
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise ValueError(
            "`value_range` must be the lowest and highest pixel value: 0,1 or 0,255 or -1,1. "
            f"Received: --value-range {text}"
        ) from None
    return low, high


def find_preprocess(text: str) -> Callable:
    """The function in front of a model that its name means."""
    if text.startswith((f"{_APPLICATIONS}:", f"{_APPLICATIONS}.")):
        name = text[len(_APPLICATIONS) + 1 :]
        modules = _applications()
        if name not in modules:
            raise ValueError(_no_such("preprocess", name, list(modules)))
        return _preprocess_of(name, modules[name])
    return _resolve(text, "--preprocess")


def _find(text: str) -> tuple[Any, dict[str, Any], str]:
    """A model, what is known of it, and where it is from."""
    lower = text.lower()
    if text.startswith((f"{_APPLICATIONS}:", f"{_APPLICATIONS}.")):
        return _load_application(text[len(_APPLICATIONS) + 1 :])
    path = Path(text).expanduser()
    if lower.endswith((".h5", ".hdf5")):
        raise ValueError(
            "A model must be a .keras file; convert an .h5 file once: "
            f"keras.saving.load_model({path.name!r}).save({path.stem + '.keras'!r}). Received: {text}"
        )
    if lower.endswith((".pt", ".pth", ".ckpt", ".onnx")):
        raise ValueError(
            "A model must be a .keras file; a torch.nn.Module is returned by a function of yours: "
            f"module:function, with --backend torch. Received: {text}"
        )
    if path.is_dir():
        raise ValueError(
            "A model must be a .keras file; a SavedModel is loaded by a function of yours that returns "
            "keras.layers.TFSMLayer in a keras.Sequential: module:function. "
            f"Received: {text}, a folder"
        )
    if lower.endswith(".keras"):
        return _load_file(path), {}, str(path)
    from keras_freq.models import reference, references

    known = sorted({one.name for one in references()})
    if text in known:
        return reference(text), {"value_range": (0, 1), "from_logits": True}, "reference network"
    if ":" in text:
        made = _call(_resolve(text, "MODEL"), text)
        if not (hasattr(made, "layers") or hasattr(made, "model") or callable(made)):
            raise TypeError(
                "The function must return a Keras model or a keras_freq.Classifier. "
                f"Received: {text}, which returned {type(made).__name__}"
            )
        return made, {}, text
    near = difflib.get_close_matches(text, known, n=1)
    raise ValueError(
        "MODEL must be a .keras file, module:function, keras.applications:NAME or a reference network "
        f"({', '.join(known)}){f'; did you mean {near[0]}?' if near else '.'} Received: {text}"
    )


def _load_file(path: Path) -> Any:
    import keras

    if not path.is_file():
        raise FileNotFoundError(f"There is no such file. Received: {path}")
    if not zipfile.is_zipfile(path):
        raise ValueError(
            "A model must be a whole .keras file, as model.save writes it: copy it again, or save it again. "
            f"Received: {path}, which is cut short or of another kind"
        )
    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        found = re.search(r"Could not (?:locate|deserialize) (?:class|function) '([^']+)'", reason)
        if found:
            raise ValueError(
                f"The model holds {found[1]}, which Keras does not know: name the module or file that "
                f"registers it (keras.saving.register_keras_serializable), --import MODULE. Received: {path}"
            ) from error
        if "lambda" in reason.lower() and "unsafe" in reason.lower():
            raise ValueError(
                "A file with a Lambda layer can run any code and is not loaded: build the model in a "
                f"function of yours, module:function. Received: {path}"
            ) from error
        raise ValueError(
            "The file must be a whole .keras file of this version of Keras. "
            f"Received: {path} ({reason[:200]})"
        ) from error


def _load_application(name: str) -> tuple[Any, dict[str, Any], str]:
    import keras

    modules = _applications()
    makers = {
        maker: home
        for home, module in modules.items()
        for maker in vars(module)
        if maker[0].isupper() and callable(getattr(module, maker))
    }
    if name not in makers:
        raise ValueError(_no_such("keras.applications", name, sorted(makers)))
    with contextlib.redirect_stdout(sys.stderr):  # where its download tells of itself
        try:
            model = getattr(keras.applications, name)(weights="imagenet")
        except Exception as error:
            if not re.search("URL|urlopen|resolution|fetch|Connection", str(error)):
                raise
            raise OSError(
                "The weights must be in ~/.keras/models or be there to fetch. "
                f"Received: keras.applications:{name} ({' '.join(str(error).split())[:200]})"
            ) from error
    home = makers[name]
    declared = {"preprocess": _preprocess_of(home, modules[home]), "data_format": "channels_last"}
    return model, declared, f"keras.applications.{name}, weights of ImageNet"


def _applications() -> dict[str, ModuleType]:
    """The modules of Keras' networks by name."""
    import keras

    names = [one.name for one in pkgutil.iter_modules(keras.applications.__path__)]
    modules = {name: importlib.import_module(f"{_APPLICATIONS}.{name}") for name in sorted(names)}
    return {name: one for name, one in modules.items() if hasattr(one, "preprocess_input")}


def _preprocess_of(name: str, module: ModuleType) -> Callable:
    def preprocess(pixels: Any) -> Any:
        return module.preprocess_input(pixels * 255.0, data_format="channels_last")

    preprocess.__name__ = f"{_APPLICATIONS}.{name}.preprocess_input"
    return preprocess


def _no_such(what: str, name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f"{what} must be one of {', '.join(near or known)}. Received: {name}"


def _resolve(text: str, option: str) -> Callable:
    """The function that `module:function` names; modules are looked for in the working folder too."""
    module, _, name = text.rpartition(":")
    found = getattr(_import(module), name, None) if module else None
    if not callable(found):
        raise ValueError(f"{option} must be module:function. Received: {text}, which names no function")
    return found


def _call(function: Callable, text: str) -> Any:
    """What a function of the user's returns; where it fails, the line of its code."""
    try:
        return function()
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ValueError(
            f"The function must return a model without arguments. Received: {text}, which raised "
            f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        ) from error


def _import(name: str) -> ModuleType:
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    path = Path(name).expanduser()
    if path.suffix == ".py":
        if not path.is_file():
            raise FileNotFoundError(f"There is no such file of Python. Received: {name}")
        own = f"_imported_{path.stem}"  # a file may have the name of a module of Python's own
        spec = importlib.util.spec_from_file_location(own, path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[own] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"The module must be one that can be imported. Received: {name} ({error})"
        ) from error
