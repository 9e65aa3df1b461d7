"""FairMT; the method is part of the package."""

from fairmt.methods.fairmt import FairMT

METHOD = FairMT
