# Raw files: from data/raw itself, a folder in FAIRMT_MIRRORS, or the canonical address.
rule fetch:
    output:
        "data/raw/{dataset}/{file}",
    log:
        "data/logs/{dataset}/{file}.log",
    wildcard_constraints:
        dataset="[^/]+",
        file="[^/]+",
    conda:
        "../envs/fairmt.yaml"
    resources:
        downloads=1,
    shell:
        "fairmt --log {log:q} fetch {wildcards.dataset:q} {wildcards.file:q}"


# One folder per benchmark and digest of what determines it, and per seed where the split is redrawn.
rule prepare:
    input:
        lambda wildcards: suite.raw_files(wildcards.folder),
    output:
        [f"data/prepared/{{folder}}/{name}" for name in PREPARED_FILES],
    log:
        "data/prepared/{folder}/prepare.log",
    wildcard_constraints:
        folder=suite.prepared_pattern,
    conda:
        "../envs/fairmt.yaml"
    params:
        arguments=lambda wildcards: suite.prepare_arguments(wildcards.folder),
    shell:
        "fairmt --log {log:q} prepare {params.arguments}"
