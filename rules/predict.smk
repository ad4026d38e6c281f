"""The stage `predict` asks the trained models about images whose labels are unknown."""


rule new_images:
    "What all models say of your own images without labels; `new_images` in the configuration names them."
    input:
        new_images_files,


rule prepare_new_images:
    input:
        warn_of_missing_triggers,
    output:
        images=f"{RESULTS}/new_images/images.npy",
        sources=f"{RESULTS}/new_images/images.csv",
    log:
        f"{RESULTS}/logs/prepare_new_images.log",
    benchmark:
        f"{RESULTS}/benchmarks/prepare_new_images.jsonl"
    priority: BEFORE_ALL_OTHERS
    conda:
        "../envs/analysis.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        source=config["new_images"],
        content=new_images_content,
        image_size=config["data"]["image_size"],
        code=code("prepare_new_images"),
    message:
        "Read the new images"
    script:
        "../scripts/prepare_new_images.py"


rule predict_new_images:
    input:
        models=every_fold("model.keras"),
        images=rules.prepare_new_images.output.images,
        sources=rules.prepare_new_images.output.sources,
    output:
        f"{MODEL_RESULTS}/new_images.csv",
    log:
        f"{RESULTS}/logs/predict_new_images/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict_new_images/{{model}}.jsonl"
    conda:
        "../envs/keras.yaml"
    threads: training_threads
    resources:
        gpu=1,
        mem_mb=model_memory,
        runtime=model_minutes,
    params:
        classes=CLASSES,
        architecture=architecture,
        mirrored=mirrored_prediction,
        code=code("predict_new_images"),
    message:
        "Predict the new images with the folds of {wildcards.model}"
    script:
        "../scripts/predict_new_images.py"


rule plot_new_images:
    input:
        predictions=rules.predict_new_images.output[0],
        images=rules.prepare_new_images.output.images,
    output:
        picture(
            f"{MODEL_RESULTS}/new_images.png",
            caption="../report/new_images.rst",
            category="New images",
            labels={"model": "{model}", "figure": "new images"},
        ),
    log:
        f"{RESULTS}/logs/plot_new_images/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_new_images/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        folds=len(FOLDS),
        code=code("plot_new_images"),
    message:
        "Draw what {wildcards.model} says of the new images"
    script:
        "../scripts/plot_new_images.py"
