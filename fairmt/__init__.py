"""FairMT: fair heterogeneous multi-task learning, as a library and a benchmark suite."""

__version__ = "0.1.0"
