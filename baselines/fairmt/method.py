"""FairMTMethod; the method is part of the package."""

from fairmt.methods.fairmt import FairMTMethod

METHOD = FairMTMethod
