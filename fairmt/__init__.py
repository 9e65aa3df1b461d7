"""FairMT: fair heterogeneous multi-task learning, as a library and a benchmark suite.

`FairMT`, `Task` and `fit_task` are what a training loop of one's own needs; see `docs/library.md`. They
load when they are first used, because planning a workflow imports this package without torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fairmt.data.labels import fit_task
    from fairmt.fairness.fairmt import FairMT
    from fairmt.tasks import Task

__version__ = "0.1.0"
__all__ = ["FairMT", "Task", "fit_task"]

_HOMES = {"FairMT": "fairmt.fairness.fairmt", "Task": "fairmt.tasks", "fit_task": "fairmt.data.labels"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
