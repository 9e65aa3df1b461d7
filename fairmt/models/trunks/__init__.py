"""Trunks, one module each, chosen by name in a benchmark's ``model:`` section."""
