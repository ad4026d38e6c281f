"""The stage `data` turns the user's files, or the built-in faces, into images, samples and folds."""


rule data:
    "Images, samples, folds and the audit of the data."
    input:
        with_vector_graphics(
            f"{RESULTS}/data/folds.csv",
            f"{RESULTS}/data/groups.csv",
            f"{RESULTS}/data/random_folds.csv" if WITH_RANDOM_FOLDS else [],
            f"{RESULTS}/data/samples.png",
            f"{RESULTS}/data/audit.csv",
            f"{RESULTS}/data/audit.png",
        ),


rule prepare_dataset:
    input:
        warn_of_missing_triggers,
    output:
        images=f"{RESULTS}/data/images.npy",
        samples=f"{RESULTS}/data/samples.csv",
        truth=f"{RESULTS}/data/truth.npz" if BUILT_IN else [],
    log:
        f"{RESULTS}/logs/prepare_dataset.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_dataset.jsonl"
    priority: BEFORE_ALL_OTHERS
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        data=data_config,
        content=data_content,
        seed=config["seed"],
        digest=data_digest,
        code=code("prepare_dataset", lookups=source_lookup),
    message:
        "Prepare images and samples"
    script:
        "../scripts/prepare_dataset.py"


rule plot_samples:
    input:
        images=rules.prepare_dataset.output.images,
        samples=rules.prepare_dataset.output.samples,
    output:
        picture(
            f"{RESULTS}/data/samples.png",
            caption="../report/samples.rst",
            category="Data",
            labels={"figure": "contact sheet"},
        ),
    log:
        f"{RESULTS}/logs/plot_samples.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_samples.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        samples=config["samples"],
        built_in=BUILT_IN,
        code=code("plot_samples"),
    message:
        "Draw a contact sheet of the samples"
    script:
        "../scripts/plot_samples.py"


rule assign_folds:
    input:
        samples=rules.prepare_dataset.output.samples,
    output:
        folds=f"{RESULTS}/data/folds.csv",
        groups=f"{RESULTS}/data/groups.csv",
    log:
        f"{RESULTS}/logs/assign_folds.log",
    benchmark:
        f"{RESULTS}/benchmarks/assign_folds.jsonl"
    priority: BEFORE_ALL_OTHERS
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        folds=config["folds"],
        files=fold_files_content,
        data=data_config,
        content=data_content,
        classes=CLASSES,
        seed=config["seed"],
        digest=folds_digest,
        code=code("assign_folds"),
    message:
        "Assign every training sample to a fold"
    script:
        "../scripts/assign_folds.py"


rule assign_random_folds:
    input:
        samples=rules.prepare_dataset.output.samples,
    output:
        folds=f"{RESULTS}/data/random_folds.csv",
    log:
        f"{RESULTS}/logs/assign_random_folds.log",
    benchmark:
        f"{RESULTS}/benchmarks/assign_random_folds.jsonl"
    priority: BEFORE_ALL_OTHERS
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        number=config["folds"]["number"],
        classes=CLASSES,
        seed=config["seed"],
        digest=random_folds_digest,
        code=code("assign_random_folds"),
    message:
        "Assign every training sample to a fold, without regard to groups and duplicates"
    script:
        "../scripts/assign_random_folds.py"


rule audit_data:
    input:
        images=rules.prepare_dataset.output.images,
        samples=rules.prepare_dataset.output.samples,
        folds=rules.assign_folds.output.folds,
    output:
        audit=report(f"{RESULTS}/data/audit.csv", category="Tables", labels={"table": "findings of the audit"}),
    log:
        f"{RESULTS}/logs/audit_data.log",
    benchmark:
        f"{RESULTS}/benchmarks/audit_data.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        folds=FOLDS,
        classes=CLASSES,
        code=code("audit_data"),
    message:
        "Look for copies, contradicting labels and leaks in the data"
    script:
        "../scripts/audit_data.py"


rule plot_audit:
    input:
        images=rules.prepare_dataset.output.images,
        samples=rules.prepare_dataset.output.samples,
        audit=rules.audit_data.output.audit,
    output:
        picture(
            f"{RESULTS}/data/audit.png",
            caption="../report/audit.rst",
            category="Data",
            labels={"figure": "copies and contradicting labels"},
        ),
    log:
        f"{RESULTS}/logs/plot_audit.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_audit.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        code=code("plot_audit"),
    message:
        "Draw copies and contradicting labels"
    script:
        "../scripts/plot_audit.py"
