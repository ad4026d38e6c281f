"""The stage `train` has one job for each model and fold, and one for each final model."""


rule train:
    "The models of all folds."
    input:
        expand(f"{MODEL_RESULTS}/folds/{{fold}}/model.keras", model=MODELS, fold=FOLDS),
        expand(f"{MODEL_RESULTS}/architecture.txt", model=MODELS),


rule summarize_architecture:
    input:
        warn_of_missing_triggers,
    output:
        f"{MODEL_RESULTS}/architecture.txt",
    log:
        f"{RESULTS}/logs/summarize_architecture/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/summarize_architecture/{{model}}.jsonl"
    conda:
        "../envs/keras.yaml"
    resources:
        mem_mb=model_memory,
        runtime=model_minutes,
    params:
        architecture=architecture,
        settings=architecture_settings,
        image_size=config["data"]["image_size"],
        classes=CLASSES,
        code=code("summarize_architecture", lookups=architecture_lookup),
    message:
        "Summarize the layers of {wildcards.model}"
    script:
        "../scripts/summarize_architecture.py"


rule train_fold:
    input:
        images=data_file("images.npy", "train_fold"),
        samples=data_file("samples.csv", "train_fold"),
        folds=folds_of_model("train_fold"),
    output:
        model=fold_file("model.keras"),
        history=fold_file("history.csv"),
        predictions=fold_file("predictions.csv"),
        metrics=fold_file("metrics.json"),
        timing=fold_file("timing.csv"),
    log:
        f"{RESULTS}/logs/train_fold/{{model}}_{{fold}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_fold/{{model}}_{{fold}}.jsonl"
    priority: model_by_model
    conda:
        "../envs/keras.yaml"
    threads: training_threads
    resources:
        gpu=1,
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        definition=definition,
        classes=CLASSES,
        seed=config["seed"],
        made_from=digest_of_models_folds,
        excluded=excluded_from_training,
        code=code("train_fold", lookups=architecture_lookup),
    message:
        "Train {wildcards.model} on all folds but {wildcards.fold}"
    script:
        "../scripts/train_fold.py"


rule train_final:
    input:
        images=data_file("images.npy", "train_final"),
        samples=data_file("samples.csv", "train_final"),
        folds=folds_of_model("train_final"),
    output:
        model=final_file("model.keras"),
        history=final_file("history.csv"),
        timing=final_file("timing.csv"),
        record=final_file("training.json"),
    log:
        f"{RESULTS}/logs/train_final/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/train_final/{{model}}.jsonl"
    conda:
        "../envs/keras.yaml"
    threads: training_threads
    resources:
        gpu=1,
        mem_mb=training_memory,
        runtime=training_minutes,
    params:
        definition=definition,
        classes=CLASSES,
        seed=config["seed"],
        made_from=digest_of_models_folds,
        excluded=excluded_from_training,
        code=code("train_final", lookups=architecture_lookup),
    message:
        "Train {wildcards.model} on all folds"
    script:
        "../scripts/train_final.py"
