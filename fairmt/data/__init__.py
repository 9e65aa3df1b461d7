"""Data flow: fetch -> prepare -> load. One file per dataset in ``datasets/``."""
