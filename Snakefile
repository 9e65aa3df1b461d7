# Entry point. `snakemake` builds the default suite; `snakemake --config suite=open` another one.
include: "workflow/Snakefile"


# An included file has no default target, so it is named here.
rule default:
    default_target: True
    input:
        rules.all.input,
