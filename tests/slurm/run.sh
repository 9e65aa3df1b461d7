#!/usr/bin/env bash
# The workflow on a real Slurm: a tiny suite through profiles/slurm on a cluster of one node, then the same suite on
# this machine alone, and both must have the same predictions to the byte. Prints "1 passed, 0 failed" and takes a few minutes.
#     tests/slurm/run.sh          (as root; see cluster.sh for what it needs)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for place in slurm local; do
  mkdir "$work/$place"
  cp -r "$root"/{Snakefile,workflow,config,profiles,baselines} "$work/$place"
  cat > "$work/$place/config/benchmarks/tiny.yaml" <<YAML
extends: synthetic
title: Tiny
options: {rows: 900, groups: 2, seed: 0}
training: {steps: 20, batch_size: 64}
YAML
  cat > "$work/$place/config/suites/tiny.yaml" <<YAML
title: Tiny
benchmarks: [tiny]
methods: [mtl_erm, diff_eodd, constant]
seeds: 1
knobs: 1
reference: mtl_erm
selection: {rule: fairest-within-tolerance, tolerance: 0.01}
YAML
done

cd "$work/slurm"
"$root/tests/slurm/cluster.sh" snakemake --profile profiles/slurm --slurm-status-command squeue \
  --slurm-init-seconds-before-status-checks 5 --slurm-no-account --config suite=tiny -- runs
cd "$work/local"
snakemake --quiet all --config suite=tiny -- runs
(cd "$work/local" && find results -name predictions.parquet | sort) > "$work/runs"
[ "$(wc -l < "$work/runs")" = 3 ]
while read -r run; do cmp "$work/slurm/$run" "$work/local/$run"; done < "$work/runs"
echo "1 passed, 0 failed"
