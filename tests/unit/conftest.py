"""TensorFlow takes its number of threads once per process, before anything is computed."""

from fercv.engine.setup import set_up

set_up("tests", seed=0)
