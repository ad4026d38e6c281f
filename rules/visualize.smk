"""The stage `visualize` looks into the trained models. Some rules compute, and other rules draw the results."""


rule visualize:
    "All pictures of what the models look at: saliency, filters, feature maps."
    input:
        with_vector_graphics(
            # Snakemake misses the arrays only if they are asked for, too.
            expand(
                f"{MODEL_RESULTS}/saliency{{file}}",
                model=MODELS,
                file=[".npz", ".png", "_methods.png", "_means.png", "_checks.csv", "_checks.png"],
            ),
            layer_pictures(),
            layer_files(f"{MODEL_RESULTS}/filters_{{layer}}.npz", "filters"),
            layer_files(f"{MODEL_RESULTS}/feature_maps_{{layer}}.npz", "feature_maps"),
            expand(
                f"{MODEL_RESULTS}/{{checks}}.{{ending}}",
                model=CHECKED_MODELS,
                checks=LAYER_CHECKS,
                ending=["npz", "csv"],
            ),
        ),


rule compute_saliency:
    input:
        models=every_fold("model.keras"),
        predictions=every_fold("predictions.csv"),
        images=data_file("images.npy", "compute_saliency"),
        truth=data_file("truth.npz", "compute_saliency") if BUILT_IN else [],
    output:
        maps=f"{MODEL_RESULTS}/saliency.npz",
        checks=f"{MODEL_RESULTS}/saliency_checks.csv",
    log:
        f"{RESULTS}/logs/compute_saliency/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compute_saliency/{{model}}.jsonl"
    conda:
        "../envs/keras.yaml"
    threads: training_threads
    resources:
        gpu=1,
        mem_mb=model_memory,
        runtime=model_minutes,
    params:
        saliency=config["saliency"],
        classes=CLASSES,
        seed=config["seed"],
        architecture=architecture,
        made_from=data_digest,
        code=code("compute_saliency"),
    message:
        "Compute what {wildcards.model} looks at"
    script:
        "../scripts/compute_saliency.py"


rule plot_saliency:
    input:
        maps=rules.compute_saliency.output.maps,
        checks=rules.compute_saliency.output.checks,
    output:
        maps=picture(
            f"{MODEL_RESULTS}/saliency.png",
            caption="../report/saliency.rst",
            category="Saliency",
            labels={"model": "{model}", "figure": "saliency"},
        ),
        methods=picture(
            f"{MODEL_RESULTS}/saliency_methods.png",
            caption="../report/saliency_methods.rst",
            category="Saliency",
            labels={"model": "{model}", "figure": "methods side by side"},
        ),
        means=picture(
            f"{MODEL_RESULTS}/saliency_means.png",
            caption="../report/saliency_means.rst",
            category="Saliency",
            labels={"model": "{model}", "figure": "mean of each class"},
        ),
        checks=picture(
            f"{MODEL_RESULTS}/saliency_checks.png",
            caption="../report/saliency_checks.rst",
            category="Saliency",
            labels={"model": "{model}", "figure": "checks"},
        ),
    log:
        f"{RESULTS}/logs/plot_saliency/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_saliency/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        threshold=config["saliency"]["threshold"],
        fold=config["saliency"]["fold"],
        folds=len(FOLDS),
        classes=CLASSES,
        code=code("plot_saliency"),
    message:
        "Draw what {wildcards.model} looks at"
    script:
        "../scripts/plot_saliency.py"


rule ascend_filters:
    input:
        model_with_layer("filters"),
    output:
        f"{MODEL_RESULTS}/filters_{{layer}}.npz",
    log:
        f"{RESULTS}/logs/ascend_filters/{{model}}_{{layer}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/ascend_filters/{{model}}_{{layer}}.jsonl"
    wildcard_constraints:
        model=models_with("filters"),
    conda:
        "../envs/keras.yaml"
    threads: training_threads
    resources:
        gpu=1,
        mem_mb=model_memory,
        runtime=model_minutes,
    params:
        filters={key: value for key, value in config["filters"].items() if key != "layers"},
        image_size=config["data"]["image_size"],
        seed=config["seed"],
        architecture=architecture,
        width=width,
        precision=precision,
        code=code("ascend_filters"),
    message:
        "Ascend the filters of {wildcards.layer} of {wildcards.model}"
    script:
        "../scripts/ascend_filters.py"


rule plot_filters:
    input:
        rules.ascend_filters.output,
    output:
        picture(
            f"{MODEL_RESULTS}/filters_{{layer}}.png",
            caption="../report/filters.rst",
            category="Filters",
            labels={"model": "{model}", "figure": "filters of {layer}"},
        ),
    log:
        f"{RESULTS}/logs/plot_filters/{{model}}_{{layer}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_filters/{{model}}_{{layer}}.jsonl"
    wildcard_constraints:
        model=models_with("filters"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        steps=config["filters"]["steps"],
        code=code("plot_filters"),
    message:
        "Draw the filters of {wildcards.layer} of {wildcards.model}"
    script:
        "../scripts/plot_filters.py"


rule compute_feature_maps:
    input:
        model=model_with_layer("feature_maps"),
        images=data_file("images.npy", "compute_feature_maps"),
    output:
        f"{MODEL_RESULTS}/feature_maps_{{layer}}.npz",
    log:
        f"{RESULTS}/logs/compute_feature_maps/{{model}}_{{layer}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/compute_feature_maps/{{model}}_{{layer}}.jsonl"
    wildcard_constraints:
        model=models_with("feature_maps"),
    conda:
        "../envs/keras.yaml"
    resources:
        mem_mb=model_memory,
        runtime=model_minutes,
    params:
        image=config["feature_maps"]["image"],
        architecture=architecture,
        made_from=data_digest,
        code=code("compute_feature_maps"),
    message:
        "Compute the feature maps of {wildcards.layer} of {wildcards.model}"
    script:
        "../scripts/compute_feature_maps.py"


rule plot_feature_maps:
    input:
        rules.compute_feature_maps.output,
    output:
        picture(
            f"{MODEL_RESULTS}/feature_maps_{{layer}}.png",
            caption="../report/feature_maps.rst",
            category="Feature maps",
            labels={"model": "{model}", "figure": "feature maps of {layer}"},
        ),
    log:
        f"{RESULTS}/logs/plot_feature_maps/{{model}}_{{layer}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_feature_maps/{{model}}_{{layer}}.jsonl"
    wildcard_constraints:
        model=models_with("feature_maps"),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("plot_feature_maps"),
    message:
        "Draw the feature maps of {wildcards.layer} of {wildcards.model}"
    script:
        "../scripts/plot_feature_maps.py"


rule check_layers:
    input:
        model=fold_file("model.keras", "layer_checks"),
        other=f"{MODEL_RESULTS}/folds/{FOLDS[(config['layer_checks']['fold'] + 1) % len(FOLDS)]}/model.keras",
        images=data_file("images.npy", "check_layers"),
        samples=data_file("samples.csv", "check_layers"),
        folds=folds_of_model("check_layers"),
        truth=data_file("truth.npz", "check_layers") if BUILT_IN else [],
    output:
        filters=f"{MODEL_RESULTS}/filter_checks.npz",
        filters_table=f"{MODEL_RESULTS}/filter_checks.csv",
        maps=f"{MODEL_RESULTS}/feature_map_checks.npz",
        maps_table=f"{MODEL_RESULTS}/feature_map_checks.csv",
    log:
        f"{RESULTS}/logs/check_layers/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/check_layers/{{model}}.jsonl"
    wildcard_constraints:
        model=one_of(CHECKED_MODELS),
    conda:
        "../envs/keras.yaml"
    threads: training_threads
    resources:
        gpu=1,
        mem_mb=model_memory,
        runtime=model_minutes,
    params:
        layer_checks=config["layer_checks"],
        layers=checked_layers,
        ascent={key: config["filters"][key] for key in ("step_size", "batch_size")},
        classes=CLASSES,
        seed=config["seed"],
        architecture=architecture,
        made_from=digest_of_models_folds,
        code=code("check_layers"),
    message:
        "Check what filters and feature maps of {wildcards.model} show"
    script:
        "../scripts/check_layers.py"


rule plot_layer_checks:
    input:
        filters=rules.check_layers.output.filters,
        filters_table=rules.check_layers.output.filters_table,
        maps=rules.check_layers.output.maps,
        maps_table=rules.check_layers.output.maps_table,
    output:
        filters=picture(
            f"{MODEL_RESULTS}/filter_checks.png",
            caption="../report/filter_checks.rst",
            category="Filters",
            labels={"model": "{model}", "figure": "checks of filters and classes"},
        ),
        maps=picture(
            f"{MODEL_RESULTS}/feature_map_checks.png",
            caption="../report/feature_map_checks.rst",
            category="Feature maps",
            labels={"model": "{model}", "figure": "checks of feature maps"},
        ),
    log:
        f"{RESULTS}/logs/plot_layer_checks/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_layer_checks/{{model}}.jsonl"
    wildcard_constraints:
        model=one_of(CHECKED_MODELS),
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        code=code("plot_layer_checks"),
    message:
        "Draw the checks of filters and feature maps of {wildcards.model}"
    script:
        "../scripts/plot_layer_checks.py"
