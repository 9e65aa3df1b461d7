"""The method interface, the registry of method cards, and FairMT itself."""
