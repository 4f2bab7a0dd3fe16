"""What every app shares: command line, settings, run folder, the one trainer and the store of its networks.

An app is a frozen dataclass of settings, a function `run(run, config)` and three lines:

    from apps.lab import Experiment, main
    from apps.quickstart.config import Quickstart

    main("quickstart", Experiment(Quickstart, "apps.quickstart.experiment:quickstart"))

The function is named by a string, so that a wrong setting is reported before Keras is imported. An app with
several experiments passes a dict, and the first word of the command line chooses:
`main("apr", {"table": ..., "swap": ...})`.

Inside the function, `run` is a `Run`. A stage that was measured before is read, not computed again:

    for radius in run.sweep(config.radii, "band accuracy"):
        run.measure(f"band/{radius}", measure_band, model, images, radius)   # numbers: dicts
    bands = run.result("bands", kf.evaluate.band_accuracy, model, images.test, radii=config.radii)
    run.figure("bands", kf.plots.band_accuracy(bands))
    write_report(run, "Title", [compare("...", ("a", ...), ("b", ...), ...)], ("Table", head, rows))

Networks come from the store, trained once for all apps:

    from apps.lab.train import trained
    model, history = trained(run, "natural", config.training, images.train, classes=10, seed=0)

`python -m apps.lab networks` lists them. Modules that need Keras (`train`, `images`) are imported from the
experiment, after the settings.
"""

from apps.lab.cli import Experiment, main
from apps.lab.config import load_config
from apps.lab.errors import RunError
from apps.lab.run import Claim, Run

__all__ = ["Claim", "Experiment", "Run", "RunError", "load_config", "main"]
