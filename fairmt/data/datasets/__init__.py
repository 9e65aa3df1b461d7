"""The datasets, one module each; `fairmt.data.dataset.load_dataset` imports them by name."""
