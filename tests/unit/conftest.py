"""TensorFlow takes its number of threads once per process, before anything is computed."""

from fercv import backend

backend.configure(threads=1, seed=0)
