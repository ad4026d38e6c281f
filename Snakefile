"""fer-crossval: facial-expression classifiers, cross-validated and explained. Start with config.yaml and README.md."""

import sys

from snakemake.utils import min_version

min_version("9.0")
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(f"Python {sys.version.split()[0]} found, 3.11 to 3.13 needed: TensorFlow has no wheel for others")

sys.path.insert(0, f"{workflow.basedir}/scripts")

from fercv.workflow.ending import Ending
from fercv.workflow.finished import remove_recorded
from fercv.workflow.records import measure_memory_rarely
from fercv.workflow.scheduling import look_for_jobs_when_some_end
from fercv.workflow.start import check_config_file, prepare, restore_data
from fercv.workflow.status import Status

check_config_file(f"{workflow.basedir}/config.yaml")


configfile: f"{workflow.basedir}/config.yaml"


config, data_files = prepare(config, workflow)


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/visualize.smk"
include: "rules/predict.smk"
include: "rules/report.smk"
include: "rules/final.smk"


ending = Ending(config["directory"])
status = Status(config["directory"], config["experiment"], config["tensorboard"])
# A job on a cluster finds the data as the first Snakemake has left them, and its messages go into its own log.
if not workflow.remote_exec:
    digests = [data_digest, folds_digest, *([random_folds_digest] if WITH_RANDOM_FOLDS else [])]
    restore_data(config, [digest(None) for digest in digests])
    ending.watch(logger)


rule all:
    "Everything."
    default_target: True
    input:
        rules.data.input,
        rules.evaluate.input,
        rules.visualize.input,
        rules.report.input,
        expand(f"{MODEL_RESULTS}/architecture.txt", model=MODELS),
        NEW_IMAGES_FILES if config["new_images"] else [],


# A target for each kind of picture, and one for each model. A model whose name is taken already has none.
for target, description, files in [
    *((kind, f"All pictures of this kind: {kind}", with_vector_graphics(made)) for kind, made in PICTURES.items()),
    *((model, f"All files of the model {model}", files_of(model, rules.all.input)) for model in MODELS),
]:
    if target not in {known.name for known in workflow.rules}:

        rule:
            name:
                target
            input:
                files,

        workflow.get_rule(target).docstring = description


onstart:
    measure_memory_rarely()
    look_for_jobs_when_some_end(workflow.scheduler)
    if workflow.is_main_process:
        status.start(fold_jobs(), logger)


onsuccess:
    status.stop()
    remove_recorded(config["directory"], config["experiment"])
    asked = set(workflow.dag_settings.targets)
    ending.tell_results(
        config, FOLDS, layer_pictures(), complete=not asked or "all" in asked, final="final" in asked
    )


# After an error Snakemake may not have recorded some folds. Its marks tell which, but only if they are files.
onerror:
    status.stop()
    if config["marks_are_files"]:
        remove_recorded(config["directory"], config["experiment"])
    ending.tell_failures()
