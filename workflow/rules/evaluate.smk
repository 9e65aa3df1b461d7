# Metrics of one method on one benchmark, over all its knob values and seeds, from predictions and
# solution only. The path names the runs and the evaluation's code, so a complete one has no inputs left; of
# a new one, the inputs are the runs that no earlier evaluation holds.
rule evaluate:
    input:
        predictions=suite.evaluated_predictions,
        solutions=suite.evaluated_solutions,
    output:
        suite.results / "evaluations/{benchmark}/{method}/{digest}.parquet",
    log:
        suite.results / "evaluations/{benchmark}/{method}/{digest}.log",
    conda:
        "../envs/fairmt.yaml"
    resources:
        mem_mb=2000,
    params:
        suite=suite.name,
    shell:
        "fairmt --log {log:q} evaluate {params.suite:q} {wildcards.benchmark:q} {wildcards.method:q} --out {output:q}"


# All metrics of the suite in one file, headline values as JSON for `dvc metrics`, and what the numbers
# rest on. They are in git: a failing job leaves them as they were.
rule gather:
    input:
        suite.evaluations,
    output:
        update(suite.results / "metrics.parquet"),
        update(suite.results / "metrics.json"),
        update(suite.results / "provenance.json"),
    log:
        suite.results / "logs/gather.log",
    conda:
        "../envs/fairmt.yaml"
    params:
        suite=suite.name,
        # Another list of evaluations is a reason to gather again, whatever their age.
        evaluations=suite.evaluations_digest,
    shell:
        "fairmt --log {log:q} gather {params.suite:q}"
