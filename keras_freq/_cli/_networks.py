"""`keras-freq networks`."""

from __future__ import annotations

from typing import Annotated

import typer

from keras_freq._cli._start import start_keras


def networks(
    json: Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else.")] = False,
    backend: Annotated[str | None, typer.Option(help="tensorflow, jax or torch.")] = None,
) -> None:
    """The reference networks, by the name that MODEL takes.

    \b
    keras-freq networks
    """
    start_keras(backend)
    from keras_freq.models import references

    known = references()
    print(known.to_json() if json else known, end="" if json else "\n")
