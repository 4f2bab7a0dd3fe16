"""The command line, `keras-freq`: one sub-command a file.

Nothing here imports Keras, NumPy or matplotlib before a sub-command runs, so that every `--help` answers at
once, and the backend can be chosen by an option. A sub-command is a function of groups of options
(`_options`) that `_command` registers; it opens a model (`_models`) and data (`_data`), looks at both
(`_subject`), calls one function of the package, and hands the result to `_output` and `_gate`.
"""

from keras_freq._cli._app import main

__all__ = ["main"]
