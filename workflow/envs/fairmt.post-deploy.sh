#!/bin/sh
# Snakemake runs this in the new environment, from the repository's root.
set -e
python -m pip install --quiet --constraint requirements.lock --editable '.[fairlearn]'
