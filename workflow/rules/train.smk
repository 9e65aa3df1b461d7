# One job per run. Its path names code, configuration and data, so a complete run is never stale and
# has no inputs left. The solution is not an input.
rule train:
    input:
        suite.training_files,
    output:
        [f"{suite.run_pattern}/{name}" for name in TRAINING_FILES[1:]],
        predictions=f"{suite.run_pattern}/{TRAINING_FILES[0]}",
    log:
        f"{suite.run_pattern}/log.txt",
    wildcard_constraints:
        method=suite.trained_pattern,
    conda:
        "../envs/fairmt.yaml"
    threads: 1
    resources:
        gpu=lambda wildcards: suite.resource(wildcards, "gpu", 0),
        mem_mb=lambda wildcards: suite.resource(wildcards, "mem_mb", 2000),
        runtime=lambda wildcards: suite.resource(wildcards, "runtime", 60),
    params:
        knob=lambda wildcards: suite.knob_value(wildcards),
    shell:
        "fairmt --log {log:q} train {wildcards.benchmark:q} {wildcards.method:q} --knob {params.knob}"
        " --seed {wildcards.seed} --expect-hash {wildcards.hash8} --threads {threads}"
        " --out $(dirname {output.predictions:q})"


# The controls know the answers: their rule, and no other before evaluation, reads the solution.
rule control:
    input:
        suite.control_files,
    output:
        [f"{suite.run_pattern}/{name}" for name in RUN_FILES[1:]],
        predictions=f"{suite.run_pattern}/{RUN_FILES[0]}",
    log:
        f"{suite.run_pattern}/log.txt",
    wildcard_constraints:
        method=suite.control_pattern,
    conda:
        "../envs/fairmt.yaml"
    shell:
        "fairmt --log {log:q} control {wildcards.benchmark:q} {wildcards.method:q} --seed {wildcards.seed}"
        " --expect-hash {wildcards.hash8} --out $(dirname {output.predictions:q})"
