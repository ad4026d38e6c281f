"""From the user's files, or the built-in generator, to images, samples and folds."""


rule data:
    input:
        f"{E}/data/folds.csv",
        f"{E}/data/samples.png",


rule prepare_dataset:
    input:
        data_source,
    output:
        images=f"{E}/data/images.npy",
        samples=f"{E}/data/samples.csv",
        truth=f"{E}/data/truth.npz" if built_in else [],
    log:
        f"{E}/logs/prepare_dataset.log",
    benchmark:
        f"{E}/benchmarks/prepare_dataset.jsonl"
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        data=data_settings,
        content=data_content,
        seed=config["seed"],
        code=code("prepare_dataset"),
    message:
        "Prepare images and samples"
    script:
        "../scripts/prepare_dataset.py"


rule plot_samples:
    input:
        images=rules.prepare_dataset.output.images,
        samples=rules.prepare_dataset.output.samples,
    output:
        report(
            f"{E}/data/samples.png",
            caption="../report/samples.rst",
            category="Data",
            labels={"figure": "contact sheet"},
        ),
    log:
        f"{E}/logs/plot_samples.log",
    benchmark:
        f"{E}/benchmarks/plot_samples.jsonl"
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        samples=config["samples"],
        code=code("plot_samples"),
    message:
        "Draw a contact sheet of the samples"
    script:
        "../scripts/plot_samples.py"


rule assign_folds:
    input:
        samples=rules.prepare_dataset.output.samples,
    output:
        folds=f"{E}/data/folds.csv",
    log:
        f"{E}/logs/assign_folds.log",
    benchmark:
        f"{E}/benchmarks/assign_folds.jsonl"
    conda:
        "../envs/analysis.yaml"
    params:
        folds=config["folds"],
        classes=CLASSES,
        seed=config["seed"],
        code=code("assign_folds"),
    message:
        "Assign every training sample to a fold"
    script:
        "../scripts/assign_folds.py"
