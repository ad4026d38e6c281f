"""The stage `evaluate` turns the folds' predictions and histories into tables and pictures."""


rule evaluate:
    "All tables and pictures of how good the models are."
    input:
        with_vector_graphics(
            expand(
                f"{MODEL_RESULTS}/{{file}}",
                model=MODELS,
                file=["accuracy.png", "confusion_matrix.png", "misclassified.png", "calibration.png"],
            ),
            # Snakemake misses a table only if it is asked for: a picture that is there does not need the table behind it.
            expand(
                f"{MODEL_RESULTS}/{{file}}.csv",
                model=MODELS,
                file=[
                    "confusion_matrix",
                    "misclassified",
                    "metrics",
                    "summary",
                    "pooled_metrics",
                    "per_class",
                    "calibration",
                    "label_issues",
                ],
            ),
            f"{RESULTS}/label_issues.csv",
            f"{RESULTS}/label_issues.png",
            f"{RESULTS}/comparison.csv",
            f"{RESULTS}/comparison.png",
            expand(f"{RESULTS}/ensembles.{{ending}}", ending=["csv", "png"] if WITH_ENSEMBLES else []),
            expand(f"{RESULTS}/leakage.{{ending}}", ending=["csv", "png"] if LEAKAGE_PAIRS else []),
            expand(
                f"{RESULTS}/{{file}}",
                file=["factors.csv", "factor_effects.csv", "factors.png"] if config["factors"] else [],
            ),
            expand(
                f"{MODEL_RESULTS}/held_out{{file}}",
                model=MODELS if config["data"]["held_out"] else [],
                file=["_predictions.csv", "_probabilities.npy", "_metrics.csv", ".png"],
            ),
        ),


rule plot_accuracy:
    input:
        histories=every_fold("history.csv"),
        summary=f"{MODEL_RESULTS}/summary.csv",
    output:
        picture(
            f"{MODEL_RESULTS}/accuracy.png",
            caption="../report/accuracy.rst",
            category="Accuracy",
            labels={"model": "{model}", "figure": "accuracy over the epochs"},
        ),
    log:
        f"{RESULTS}/logs/plot_accuracy/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_accuracy/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        folds=FOLDS,
        code=code("plot_accuracy"),
    message:
        "Draw the accuracy of {wildcards.model} over the epochs"
    script:
        "../scripts/plot_accuracy.py"


rule pool_confusion:
    input:
        predictions=every_fold("predictions.csv"),
    output:
        matrix=report(
            f"{MODEL_RESULTS}/confusion_matrix.csv",
            category="Tables",
            labels={"model": "{model}", "table": "confusion matrix"},
        ),
    log:
        f"{RESULTS}/logs/pool_confusion/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pool_confusion/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        code=code("pool_confusion"),
    message:
        "Pool the confusion matrix of {wildcards.model} over the folds"
    script:
        "../scripts/pool_confusion.py"


rule plot_confusion:
    input:
        matrix=rules.pool_confusion.output.matrix,
    output:
        picture(
            f"{MODEL_RESULTS}/confusion_matrix.png",
            caption="../report/confusion_matrix.rst",
            category="Confusion",
            labels={"model": "{model}", "figure": "pooled confusion matrix"},
        ),
    log:
        f"{RESULTS}/logs/plot_confusion/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_confusion/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("plot_confusion"),
    message:
        "Draw the confusion matrix of {wildcards.model}"
    script:
        "../scripts/plot_confusion.py"


rule score_model:
    input:
        predictions=every_fold("predictions.csv"),
        metrics=every_fold("metrics.json"),
        matrix=rules.pool_confusion.output.matrix,
        groups=rules.assign_folds.output.groups,
    output:
        metrics=report(
            f"{MODEL_RESULTS}/metrics.csv",
            category="Tables",
            labels={"model": "{model}", "table": "measures of each fold"},
        ),
        summary=report(
            f"{MODEL_RESULTS}/summary.csv",
            category="Tables",
            labels={"model": "{model}", "table": "measures over the folds"},
        ),
        pooled=report(
            f"{MODEL_RESULTS}/pooled_metrics.csv",
            category="Tables",
            labels={"model": "{model}", "table": "measures of all folds together"},
        ),
        per_class=report(
            f"{MODEL_RESULTS}/per_class.csv", category="Tables", labels={"model": "{model}", "table": "each class"}
        ),
        calibration=report(
            f"{MODEL_RESULTS}/calibration.csv",
            category="Tables",
            labels={"model": "{model}", "table": "bins of confidence"},
        ),
    log:
        f"{RESULTS}/logs/score_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_model/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        folds=FOLDS,
        classes=CLASSES,
        seed=config["seed"],
        code=code("score_model"),
    message:
        "Score {wildcards.model} on each fold, over the folds and on all predictions together"
    script:
        "../scripts/score_model.py"


rule plot_calibration:
    input:
        calibration=rules.score_model.output.calibration,
        pooled=rules.score_model.output.pooled,
    output:
        picture(
            f"{MODEL_RESULTS}/calibration.png",
            caption="../report/calibration.rst",
            category="Calibration",
            labels={"model": "{model}", "figure": "reliability diagram"},
        ),
    log:
        f"{RESULTS}/logs/plot_calibration/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_calibration/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("plot_calibration"),
    message:
        "Draw the reliability diagram of {wildcards.model}"
    script:
        "../scripts/plot_calibration.py"


rule list_misclassified:
    input:
        predictions=every_fold("predictions.csv"),
        samples=rules.prepare_dataset.output.samples,
    output:
        misclassified=report(
            f"{MODEL_RESULTS}/misclassified.csv",
            category="Tables",
            labels={"model": "{model}", "table": "all mistakes"},
        ),
    log:
        f"{RESULTS}/logs/list_misclassified/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/list_misclassified/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        folds=FOLDS,
        classes=CLASSES,
        code=code("list_misclassified"),
    message:
        "List the images that {wildcards.model} misclassifies"
    script:
        "../scripts/list_misclassified.py"


rule plot_misclassified:
    input:
        misclassified=rules.list_misclassified.output.misclassified,
        images=rules.prepare_dataset.output.images,
    output:
        picture(
            f"{MODEL_RESULTS}/misclassified.png",
            caption="../report/misclassified.rst",
            category="Mistakes",
            labels={"model": "{model}", "figure": "most confident mistakes"},
        ),
    log:
        f"{RESULTS}/logs/plot_misclassified/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_misclassified/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        code=code("plot_misclassified"),
    message:
        "Draw the most confident mistakes of {wildcards.model}"
    script:
        "../scripts/plot_misclassified.py"


rule find_label_issues:
    input:
        predictions=every_fold("predictions.csv"),
        samples=rules.prepare_dataset.output.samples,
    output:
        issues=report(
            f"{MODEL_RESULTS}/label_issues.csv",
            category="Tables",
            labels={"model": "{model}", "table": "suspicious labels"},
        ),
    log:
        f"{RESULTS}/logs/find_label_issues/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/find_label_issues/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        code=code("find_label_issues"),
    message:
        "Find the labels that {wildcards.model} makes suspicious"
    script:
        "../scripts/find_label_issues.py"


rule rank_label_issues:
    input:
        issues=expand(rules.find_label_issues.output.issues, model=MODELS),
        predictions=expand(fold_file("predictions.csv"), model=MODELS, fold=FOLDS),
    output:
        ranking=report(
            f"{RESULTS}/label_issues.csv", category="Tables", labels={"table": "suspicious labels, all models"}
        ),
    log:
        f"{RESULTS}/logs/rank_label_issues.log",
    benchmark:
        f"{RESULTS}/benchmarks/rank_label_issues.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        models=MODELS,
        classes=CLASSES,
        code=code("rank_label_issues"),
    message:
        "Rank the suspicious labels over all models"
    script:
        "../scripts/rank_label_issues.py"


rule plot_label_issues:
    input:
        ranking=rules.rank_label_issues.output.ranking,
        images=rules.prepare_dataset.output.images,
    output:
        picture(
            f"{RESULTS}/label_issues.png",
            caption="../report/label_issues.rst",
            category="Mistakes",
            labels={"model": "all models", "figure": "suspicious labels"},
        ),
    log:
        f"{RESULTS}/logs/plot_label_issues.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_label_issues.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("plot_label_issues"),
    message:
        "Draw the most suspicious labels"
    script:
        "../scripts/plot_label_issues.py"


rule compare_models:
    input:
        metrics=expand(rules.score_model.output.metrics, model=MODELS),
    output:
        comparison=report(f"{RESULTS}/comparison.csv", category="Tables", labels={"table": "comparison of the models"}),
    log:
        f"{RESULTS}/logs/compare_models.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_models.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        models=MODELS,
        folds=[config["definitions"][model]["folds"] for model in MODELS],
        code=code("compare_models"),
    message:
        "Compare the models fold by fold"
    script:
        "../scripts/compare_models.py"


rule plot_comparison:
    input:
        metrics=expand(rules.score_model.output.metrics, model=MODELS),
        # All models are validated on the same images, so one summary tells the chance level of all.
        summary=expand(rules.score_model.output.summary, model=MODELS[0]),
        comparison=rules.compare_models.output.comparison,
    output:
        picture(
            f"{RESULTS}/comparison.png",
            caption="../report/comparison.rst",
            category="Comparison",
            labels={"figure": "all models"},
        ),
    log:
        f"{RESULTS}/logs/plot_comparison.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_comparison.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        models=MODELS,
        code=code("plot_comparison"),
    message:
        "Draw the comparison of the models"
    script:
        "../scripts/plot_comparison.py"


rule compare_ensembles:
    input:
        predictions=expand(fold_file("predictions.csv"), model=MODELS, fold=FOLDS),
        metrics=expand(rules.score_model.output.metrics, model=MODELS),
        summary=expand(rules.score_model.output.summary, model=MODELS[0])[0],
        samples=rules.prepare_dataset.output.samples,
    output:
        table=f"{RESULTS}/ensembles.csv",
        picture=picture(
            f"{RESULTS}/ensembles.png",
            caption="../report/ensembles.rst",
            category="Comparison",
            labels={"figure": "averages of two models"},
        ),
    log:
        f"{RESULTS}/logs/compare_ensembles.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_ensembles.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        models=MODELS,
        kinds=[config["definitions"][model]["folds"] for model in MODELS],
        folds=FOLDS,
        classes=CLASSES,
        code=code("compare_ensembles"),
    message:
        "Compare averages of two models with their members"
    script:
        "../scripts/compare_ensembles.py"


rule measure_leakage:
    input:
        predictions=predictions_of_pairs,
        samples=rules.prepare_dataset.output.samples,
        groups=rules.assign_folds.output.groups,
    output:
        leakage=report(f"{RESULTS}/leakage.csv", category="Tables", labels={"table": "what leaks are worth"}),
    log:
        f"{RESULTS}/logs/measure_leakage.log",
    benchmark:
        f"{RESULTS}/benchmarks/measure_leakage.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        models=LEAKAGE_MODELS,
        pairs=LEAKAGE_PAIRS,
        classes=CLASSES,
        seed=config["seed"],
        code=code("measure_leakage"),
    message:
        "Measure what leaks between random folds are worth"
    script:
        "../scripts/measure_leakage.py"


rule plot_leakage:
    input:
        rules.measure_leakage.output.leakage,
    output:
        picture(
            f"{RESULTS}/leakage.png",
            caption="../report/leakage.rst",
            category="Leakage",
            labels={"figure": "grouped and random folds"},
        ),
    log:
        f"{RESULTS}/logs/plot_leakage.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_leakage.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("plot_leakage"),
    message:
        "Draw what leaks between random folds are worth"
    script:
        "../scripts/plot_leakage.py"


rule predict_held_out:
    input:
        models=every_fold("model.keras"),
        images=data_file("images.npy", "predict_held_out"),
        samples=data_file("samples.csv", "predict_held_out"),
    output:
        predictions=f"{MODEL_RESULTS}/held_out_predictions.csv",
        probabilities=f"{MODEL_RESULTS}/held_out_probabilities.npy",
    log:
        f"{RESULTS}/logs/predict_held_out/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/predict_held_out/{{model}}.jsonl"
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
        made_from=data_digest,
        code=code("predict_held_out"),
    message:
        "Predict the held-out rows with the folds of {wildcards.model}"
    script:
        "../scripts/predict_held_out.py"


rule score_held_out:
    input:
        predictions=rules.predict_held_out.output.predictions,
        probabilities=rules.predict_held_out.output.probabilities,
        groups=rules.assign_folds.output.groups,
    output:
        metrics=report(
            f"{MODEL_RESULTS}/held_out_metrics.csv",
            category="Tables",
            labels={"model": "{model}", "table": "measures on the held-out images"},
        ),
    log:
        f"{RESULTS}/logs/score_held_out/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/score_held_out/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        folds=FOLDS,
        classes=CLASSES,
        seed=config["seed"],
        code=code("score_held_out"),
    message:
        "Score {wildcards.model} on the held-out rows"
    script:
        "../scripts/score_held_out.py"


rule plot_held_out:
    input:
        metrics=rules.score_held_out.output.metrics,
        summary=rules.score_model.output.summary,
    output:
        picture(
            f"{MODEL_RESULTS}/held_out.png",
            caption="../report/held_out.rst",
            category="Held-out images",
            labels={"model": "{model}", "figure": "held-out images"},
        ),
    log:
        f"{RESULTS}/logs/plot_held_out/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_held_out/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        code=code("plot_held_out"),
    message:
        "Draw the accuracy of {wildcards.model} on the held-out rows"
    script:
        "../scripts/plot_held_out.py"


rule compare_factors:
    input:
        histories=expand(fold_file("history.csv"), model=MODELS, fold=FOLDS),
    output:
        factors=report(f"{RESULTS}/factors.csv", category="Tables", labels={"table": "accuracies by setting"}),
        effects=report(
            f"{RESULTS}/factor_effects.csv", category="Tables", labels={"table": "what each setting changes"}
        ),
    log:
        f"{RESULTS}/logs/compare_factors.log",
    benchmark:
        f"{RESULTS}/benchmarks/compare_factors.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        levels=factor_levels(config),
        architectures=ARCHITECTURES,
        folds=FOLDS,
        code=code("compare_factors"),
    message:
        "Compare the models by the settings in which they differ"
    script:
        "../scripts/compare_factors.py"


rule plot_factors:
    input:
        factors=rules.compare_factors.output.factors,
        effects=rules.compare_factors.output.effects,
    output:
        picture(
            f"{RESULTS}/factors.png",
            caption="../report/factors.rst",
            category="Comparison",
            labels={"figure": "settings in which the models differ"},
        ),
    log:
        f"{RESULTS}/logs/plot_factors.log",
    benchmark:
        f"{RESULTS}/benchmarks/plot_factors.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        names=list(config["factors"]),
        architectures=ARCHITECTURES,
        code=code("plot_factors"),
    message:
        "Draw the models by the settings in which they differ"
    script:
        "../scripts/plot_factors.py"
