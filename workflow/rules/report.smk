# Everything below starts from the committed metrics: regenerating it never trains. Another description
# of the suite, such as a tolerance or a title, is a reason to do so.
METRICS = [suite.results / "metrics.parquet", suite.results / "provenance.json"]


rule table:
    input:
        METRICS,
    output:
        report(
            expand(
                suite.results / "tables/{name}.{format}",
                name=suite.tables,
                format=["md"],
            ),
            category="Tables",
            caption="../report/tables.rst",
        ),
        expand(
            suite.results / "tables/{name}.{format}",
            name=suite.tables,
            format=["csv", "tex"],
        ),
    log:
        suite.results / "logs/table.log",
    conda:
        "../envs/fairmt.yaml"
    params:
        suite=suite.name,
        description=suite.description_digest,
    shell:
        "fairmt --log {log:q} table {params.suite:q}"


rule figure:
    input:
        METRICS,
    output:
        report(
            expand(
                suite.results / "figures/{name}.{format}",
                name=suite.figures,
                format=["png"],
            ),
            category="Figures",
            caption="../report/figures.rst",
        ),
        expand(
            suite.results / "figures/{name}.{format}",
            name=suite.figures,
            format=["pdf"],
        ),
    log:
        suite.results / "logs/figure.log",
    # It takes longest: the others run beside it.
    priority: 1
    conda:
        "../envs/fairmt.yaml"
    params:
        suite=suite.name,
        description=suite.description_digest,
    shell:
        "fairmt --log {log:q} figure {params.suite:q}"


rule claims:
    input:
        METRICS,
        "config/claims.yaml",
    output:
        report(
            suite.results / "claims.md",
            category="Claims",
            caption="../report/claims.rst",
        ),
        suite.results / "claims.csv",
    log:
        suite.results / "logs/claims.log",
    conda:
        "../envs/fairmt.yaml"
    params:
        suite=suite.name,
        description=suite.description_digest,
    shell:
        "fairmt --log {log:q} claims {params.suite:q}"


rule html:
    input:
        rules.table.output,
        rules.figure.output,
        rules.claims.output,
        suite.results / "provenance.json",
    output:
        report(
            suite.results / "report.html",
            category="Report",
            caption="../report/report.rst",
        ),
    log:
        suite.results / "logs/report.log",
    conda:
        "../envs/fairmt.yaml"
    params:
        suite=suite.name,
        description=suite.description_digest,
    shell:
        "fairmt --log {log:q} report {params.suite:q}"


# Tables, figures, claims and report from stored metrics; lists no prediction file.
rule tables:
    input:
        rules.table.output,
        rules.figure.output,
        rules.claims.output,
        rules.html.output,
