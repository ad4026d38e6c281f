"""The stage `report` puts all results on one page."""


rule report:
    "The page with all results."
    input:
        f"{RESULTS}/report.html",


rule make_report:
    input:
        shown=shown_on_page(rules.data, rules.evaluate, rules.visualize),
        metrics=expand(fold_file("metrics.json"), model=MODELS, fold=FOLDS),
        timings=expand(fold_file("timing.csv"), model=MODELS, fold=FOLDS),
        architectures=expand(rules.summarize_architecture.output, model=MODELS),
        images=rules.prepare_dataset.output.images,
    output:
        report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            # Snakemake sorts the categories by name: this one comes first.
            category="A page with all results",
            labels={"page": "all results on one page"},
        ),
    log:
        f"{RESULTS}/logs/make_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/make_report.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    threads: 4
    params:
        folds=FOLDS,
        settings=SETTINGS_OF_REPORT,
        templates=templates_of_report,
        code=code("make_report"),
    message:
        "Put all results on one page"
    script:
        "../scripts/make_report.py"
