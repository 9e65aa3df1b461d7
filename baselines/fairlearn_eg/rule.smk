# A method with a command of its own: `fairmt external` gives the command what training methods see, and takes
# its predictions.
rule fairlearn_eg:
    input:
        suite.external_files,
    output:
        [f"{suite.run_pattern}/{name}" for name in RUN_FILES[1:]],
        predictions=f"{suite.run_pattern}/{RUN_FILES[0]}",
    log:
        f"{suite.run_pattern}/log.txt",
    wildcard_constraints:
        method="fairlearn_eg",
    conda:
        "../../workflow/envs/fairmt.yaml"
    threads: 1
    resources:
        mem_mb=lambda wildcards: suite.resource(wildcards, "mem_mb", 2000),
        runtime=lambda wildcards: suite.resource(wildcards, "runtime", 60),
    params:
        knob=lambda wildcards: suite.knob_value(wildcards),
    shell:
        "fairmt --log {log:q} external {wildcards.benchmark:q} {wildcards.method:q} --knob {params.knob}"
        " --seed {wildcards.seed} --expect-hash {wildcards.hash8} --threads {threads}"
        " --out $(dirname {output.predictions:q}) -- python baselines/fairlearn_eg/fit.py"
