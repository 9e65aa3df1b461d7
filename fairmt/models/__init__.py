"""Trunks, heads and the networks made of them."""
