"""Groups of options that sub-commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Which model, and what must be known of it: as `keras_freq.Classifier` has them."""

    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A .keras file, module:function, a reference network (see networks), or "
            "keras.applications:NAME.",
            show_default=False,
        ),
    ]
    value_range: Annotated[
        str | None,
        typer.Option(help="Lowest and highest pixel value that the model takes: 0,1 or 0,255 or -1,1."),
    ] = None
    preprocess: Annotated[
        str | None,
        typer.Option(
            help="What stands in front of the model: module:function of pixels on 0 to 1, or "
            "keras.applications:MODULE for its preprocess_input."
        ),
    ] = None
    output: Annotated[
        str | None, typer.Option(help="Name or index of the output, of a model with several.")
    ] = None
    logits: Annotated[
        bool | None,
        typer.Option("--logits/--probabilities", help="What the outputs are, where it cannot be seen."),
    ] = None
    data_format: Annotated[
        str | None, typer.Option(help="channels_last or channels_first, where the input does not tell.")
    ] = None
    imports: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="Module or file with the model's own layers."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """Which images."""

    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="cifar10_mini, a folder of classes, an .npz file, a folder of x_test.npy and y_test.npy, a "
            "name of TensorFlow Datasets, or a folder of Hugging Face's save_to_disk.",
            show_default=False,
        ),
    ]
    split: Annotated[str, typer.Option(help="train or test.")] = "test"
    n: Annotated[int | None, typer.Option("--n", "-n", min=1, help="How many images are taken.")] = None
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of images, and of other draws.")] = 0
    classes: Annotated[
        str | None,
        typer.Option(
            help="Names of the classes in the order of the model's outputs: a,b,c or a file with one a line. "
            "Default: folders in alphabetical order."
        ),
    ] = None
    image_size: Annotated[
        str | None,
        typer.Option(
            help="Side, or height,width, to which images of folders and TFDS are resized; default that of "
            "the model's input."
        ),
    ] = None
    data_dir: Annotated[
        Path | None, typer.Option(help="Folder of TensorFlow Datasets.", show_default=False)
    ] = None
    download: Annotated[
        bool, typer.Option("--download", help="Let TensorFlow Datasets fetch a set that is not here.")
    ] = False


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How it is run."""

    backend: Annotated[
        str | None,
        typer.Option(
            help="tensorflow, jax or torch; default KERAS_BACKEND, else Keras' configuration, else the first "
            "that is installed."
        ),
    ] = None
    batch_size: Annotated[int | None, typer.Option(min=1, help="Images a batch.")] = None


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """Where the result goes, and what of it is a finding."""

    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON to stdout, and nothing else.")
    ] = False
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for JSON, CSV and figure, or one file that ends in .json, .csv or .png.",
            show_default=False,
        ),
    ] = None
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME < NUMBER'",
            help="Exit with 1 where this holds: 'low_8 < .8'. May be given several times; operators are "
            "< <= > >=. A wrong name lists all.",
        ),
    ] = None
    baseline: Annotated[
        Path | None,
        typer.Option(
            help="Exit with 1 where a number is worse than in this JSON, of --json or --out.",
            show_default=False,
        ),
    ] = None
    tolerance: Annotated[float, typer.Option(min=0, help="By how much it may be worse.")] = 0.02
    junit: Annotated[
        Path | None,
        typer.Option(help="Write the conditions as JUnit XML, one test case each.", show_default=False),
    ] = None
