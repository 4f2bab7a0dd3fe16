"""`python -m keras_freq`: the command line."""

import sys

from keras_freq._cli import main

if __name__ == "__main__":
    sys.exit(main())
