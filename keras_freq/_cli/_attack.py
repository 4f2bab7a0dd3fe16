"""`keras-freq attack`."""

from __future__ import annotations

from typing import Annotated

import typer

from keras_freq._cli._options import DataOptions, ModelOptions, ResultOptions, RunOptions
from keras_freq._cli._output import Output
from keras_freq._cli._start import start_keras
from keras_freq._cli._subject import open_subject
from keras_freq._cli._texts import read_numbers

_IMAGES = 500


def attack(
    model: ModelOptions,
    data: DataOptions,
    run: RunOptions,
    result: ResultOptions,
    kind: Annotated[str, typer.Option("--attack", help="linf_pgd, l2_pgd or fgsm.")] = "linf_pgd",
    epsilons: Annotated[str, typer.Option(help="Sizes, for pixels on 0 to 1.")] = "1/255,2/255,4/255,8/255",
    steps: Annotated[int, typer.Option(min=1, help="Steps of PGD.")] = 20,
    engine: Annotated[str, typer.Option(help="foolbox, or own for the package's compiled loop.")] = "foolbox",
) -> int:
    """Accuracy under an attack, by its size.

    Without --n 500 images are taken.

    \b
    keras-freq attack cifar10/standard cifar10_mini --n 100 --epsilons 1/255,8/255 --engine own
    keras-freq attack my_model.keras photos/test --attack l2_pgd --epsilons .25,.5 --out attack
    """
    output, sizes = Output.open("attack", result), read_numbers(epsilons, "--epsilons")
    start_keras(run.backend)
    from keras_freq.evaluate._adversarial_accuracy import check_attack

    check_attack(kind, sizes, steps, None, data.seed, engine)  # before the model is run
    subject = open_subject(model, data, run, n=_IMAGES, say=output.say)
    from keras_freq import evaluate, plots

    measured = evaluate.adversarial_accuracy(
        subject.classifier,
        subject.data.pair,
        attack=kind,
        epsilons=sizes,
        steps=steps,
        seed=data.seed,
        engine=engine,  # type: ignore[arg-type]  # checked there
        batch_size=run.batch_size,
        keep_images=output.out is not None,
    )
    return output.deliver(
        measured, lambda: plots.adversarial_examples(measured, classes=subject.data.classes)
    )
