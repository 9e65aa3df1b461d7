"""Data cards: what is in a dataset, for whom, and on which terms; as a page and as Croissant metadata."""
