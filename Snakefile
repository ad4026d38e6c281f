"""fer-crossval: facial-expression classifiers, cross-validated and explained. Start with config.yaml and README.md."""

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")
if not (3, 11) <= sys.version_info[:2] <= (3, 13):
    sys.exit(f"Python {sys.version.split()[0]} found, 3.11 to 3.13 needed: TensorFlow has no wheel for others")

sys.path.insert(0, f"{workflow.basedir}/scripts")

from fercv.workflow.errors import InputError
from fercv.workflow.planning import planned_digest, settings_digest
from fercv.workflow.settings import check_syntax, complete_config
from fercv.data.sources import source_digest, source_files

try:
    check_syntax(f"{workflow.basedir}/config.yaml")
except InputError as error:
    sys.exit(str(error))


configfile: f"{workflow.basedir}/config.yaml"


try:
    config = complete_config(config, [*workflow.configfiles, *map(str, workflow.overwrite_configfiles)])
    built_in = config["data"]["source"] == "synthetic"
    data_files = [] if built_in else source_files(config["data"]["source"])
except InputError as error:
    sys.exit(str(error))
found = settings_digest(config)
if planned_digest("settings", found, workflow.remote_exec) != found:
    sys.exit("a setting has changed since Snakemake planned this job; start Snakemake again when its jobs have ended")


# For scripts that must find the results from wherever Snakemake has them run; not a setting, and no rule's param.
config["directory"] = str(Path.cwd())
# Whether Snakemake marks by files which outputs are begun; with --persistence-backend db a database knows.
records = str(getattr(workflow.workflow_settings, "persistence_backend", "file"))
config["marks_are_files"] = planned_digest("records", records, workflow.remote_exec) == "file"


report: "report/workflow.rst"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/visualize.smk"


# On a cluster, too, these run where Snakemake does: seconds each, without TensorFlow, and many.
localrules:
    all,
    data,
    train,
    evaluate,
    visualize,
    plot_samples,
    assign_folds,
    plot_accuracy,
    pool_confusion,
    plot_confusion,
    score_model,
    compare_models,
    plot_comparison,
    plot_saliency,
    plot_filters,
    plot_feature_maps,


rule all:
    default_target: True
    input:
        rules.data.input,
        rules.evaluate.input,
        rules.visualize.input,
        expand(f"{M}/architecture.txt", model=MODELS),


onsuccess:
    remove_finished_checkpoints()


onerror:
    if config["marks_are_files"]:
        remove_finished_checkpoints()
