"""What every app shares: command line, configuration, run folder, resumable training, progress.

An app is a frozen dataclass of settings, a function `run(run, config)` and three lines:

    from apps.runner import Experiment, main
    from apps.quickstart.config import Quickstart

    main("quickstart", Experiment(Quickstart, "apps.quickstart.experiment:quickstart"))

The function is named by a string, so that a wrong setting is reported before Keras is imported. An app with
several experiments passes a dict, and the first word of the command line chooses:
`main("apr", {"table": ..., "swap": ...})`.

Inside the function, `run` is a `Run`. A stage that was measured before is read, not computed again:

    for radius in run.sweep(config.radii, "band accuracy"):
        run.measure(f"band/{radius}", lambda: {"radius": radius, "value": ...})
    history = fit_resumably(model, feed, epochs=config.epochs, checkpoint=run.checkpoint("plain"))
    run.figure("curves", kf.plots.training_curves(histories))
    run.summary("Title", [Claim(...)])

`apps.runner.training.fit_resumably` is imported from its own module: it needs Keras, which must come after
the settings.
"""

from apps.runner.cli import Experiment, main
from apps.runner.config import load_config
from apps.runner.errors import RunError
from apps.runner.run import Claim, Run

__all__ = ["Claim", "Experiment", "Run", "RunError", "load_config", "main"]
