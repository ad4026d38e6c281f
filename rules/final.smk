"""The stage `final` makes one model of each definition for use elsewhere. `all` does not ask for it."""


rule final:
    "Each model, trained once more on all training images, with a model card, packed for use elsewhere."
    input:
        expand(
            final_file("{file}"),
            model=MODELS,
            file=["model.keras", "history.csv", "training.json", "README.md", *(["model.onnx"] if WITH_ONNX else [])],
        ),
        expand(final_file("{experiment}-{model}.zip"), model=MODELS, experiment=config["experiment"]),


rule export_onnx:
    input:
        model=model_to_export,
    output:
        final_file("model.onnx"),
    log:
        f"{RESULTS}/logs/export_onnx/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_onnx/{{model}}.jsonl"
    conda:
        "../envs/onnx.yaml"
    resources:
        mem_mb=export_memory,
        runtime=model_minutes,
    params:
        classes=CLASSES,
        image_size=config["data"]["image_size"],
        architecture=architecture,
        mirrored=mirrored_prediction,
        code=code("export_onnx"),
    message:
        "Write the final {wildcards.model} as an ONNX file"
    script:
        "../scripts/export_onnx.py"


rule write_model_card:
    input:
        record=rules.train_final.output.record,
        summary=rules.score_model.output.summary,
        pooled=rules.score_model.output.pooled,
        per_class=rules.score_model.output.per_class,
        held_out=rules.score_held_out.output if config["data"]["held_out"] else [],
    output:
        final_file("README.md"),
    log:
        f"{RESULTS}/logs/write_model_card/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/write_model_card/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        settings=SETTINGS_OF_CARD,
        definition=definition,
        onnx=WITH_ONNX,
        templates=templates_of_card,
        code=code("write_model_card"),
    message:
        "Write the model card of the final {wildcards.model}"
    script:
        "../scripts/write_model_card.py"


rule pack_model:
    input:
        rules.write_model_card.output,
        rules.train_final.output.model,
        rules.export_onnx.output if WITH_ONNX else [],
    output:
        final_file(f"{config['experiment']}-{{model}}.zip"),
    log:
        f"{RESULTS}/logs/pack_model/{{model}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/pack_model/{{model}}.jsonl"
    localrule: True
    conda:
        "../envs/analysis.yaml"
    params:
        classes=CLASSES,
        image_size=config["data"]["image_size"],
        mirrored=mirrored_prediction,
        onnx=WITH_ONNX,
        templates=templates_of_card,
        code=code("pack_model"),
    message:
        "Pack the final {wildcards.model}"
    script:
        "../scripts/pack_model.py"
