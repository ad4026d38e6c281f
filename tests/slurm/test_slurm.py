"""The workflow on a real Slurm with counted GPUs: what it asks for, what is made, and what is left after a fault."""

import contextlib
import json
import signal
import subprocess

import pytest
from loopback import GPUS, wait_until

pytestmark = pytest.mark.slow

FOLD = "results/demo-tiny/cnn/folds/00"
TARGET = f"{FOLD}/metrics.json"
LOG = "results/demo-tiny/logs/train_fold/cnn_00.log"
FOLDS = ["cnn_00", "cnn_01", "fc_00", "fc_01"]


def rules_of(jobs):
    """{rule and wildcards: fields} of Slurm's jobs."""
    return {fields["Comment"].removeprefix("rule_").replace("_wildcards_", " "): fields for fields in jobs}


def take_line(project, line):
    """Replace the profile's line of train_fold by one of the lines that are comments there."""
    assert f"  # {line} #" in (project.folder / "profiles/slurm/profile.yaml").read_text(encoding="utf-8")
    project.edit("profiles/slurm/profile.yaml", r"train_fold: &gpu \{gpu: 1\}", line)


# The whole experiment.


def test_the_results_are_the_same_bytes_as_those_of_a_local_run(on_slurm, finished):
    project, _, _ = on_slurm
    local = type(project)(finished.folder, project.cluster).contents()
    made = project.contents()
    assert set(made) == set(local)
    assert [name for name in made if made[name] != local[name]] == []


def test_each_fold_asks_for_one_gpu_and_for_memory_and_time_of_its_own(on_slurm):
    _, jobs, _ = on_slurm
    jobs = rules_of(jobs)
    for fold in FOLDS:
        fields = jobs[f"train_fold {fold}"]
        assert fields["TresPerJob"] == "gres:gpu:1"
        assert fields["MinMemoryNode"] == "2500M"
        assert fields["TimeLimit"] == ("00:24:00" if fold.startswith("cnn") else "00:26:00")
        assert fields["JobState"] == "COMPLETED"
    assert "TresPerJob" not in jobs["prepare_dataset"]
    assert "TresPerJob" not in jobs["summarize_architecture cnn"]


def test_tables_and_pictures_are_no_jobs_of_the_cluster(on_slurm):
    _, jobs, _ = on_slurm
    rules = {name.split()[0] for name in rules_of(jobs)}
    assert rules == {
        "prepare_dataset", "summarize_architecture", "train_fold", "compute_saliency", "ascend_filters",
        "compute_feature_maps", "check_layers", "predict_held_out",
    }  # fmt: skip


def test_no_more_jobs_compute_at_once_than_there_are_gpus(on_slurm):
    _, _, seen = on_slurm
    assert max(map(len, seen)) == GPUS


def test_jobs_that_ask_for_no_gpu_run_all_at_once(project):
    """The control of the tests on GPUs above, and a test of the profile's line for a cluster without GPUs."""
    earlier = project.cluster.jobs()
    take_line(project, 'train_fold: &gpu {gpu: 0, runtime: "attempt * 480"}')
    project.edit("experiments/demo-tiny.yaml", "seed: .*|$", "\nseed: 1")
    process = project.launch("train")
    wait_until(lambda: len(project.fold_processes()) > GPUS)
    assert process.wait(240) == 0, process.stdout.read()
    jobs = rules_of(project.cluster.jobs_after(earlier))
    assert all("TresPerJob" not in jobs[f"train_fold {fold}"] for fold in FOLDS)
    assert all(jobs[f"train_fold {fold}"]["TimeLimit"] == "08:00:00" for fold in FOLDS)


def test_a_gpu_is_asked_for_as_gres_where_the_profile_says_so(project):
    earlier = project.cluster.jobs()
    take_line(project, 'train_fold: &gpu {gpu: 0, gres: "gpu:1"}')
    (project.folder / TARGET).unlink()
    project.run(TARGET)
    (job,) = project.cluster.jobs_after(earlier)
    assert job["TresPerNode"] == "gres:gpu:1"
    assert "TresPerJob" not in job


# What is rebuilt, as on one machine.

COMMENT = ("scripts/train_fold.py", r"\A", "# A comment.\n")
ARCHITECTURE = ("scripts/fercv/nets/architectures.py", r"\[2000\] \* 6", "[2000] * 5")
SETTING = ("experiments/demo-tiny.yaml", r"(fc: .*epochs): 3", r"\1: 4")
PREDICTIONS = ("results/demo-tiny/fc/folds/01/predictions.csv", r"\n(\d+),\d", r"\n\1,0")
SCORES = {
    "pool_confusion", "plot_confusion", "score_model", "plot_accuracy", "list_misclassified", "plot_misclassified",
    "compare_models", "plot_comparison", "plot_held_out", "find_label_issues", "rank_label_issues", "plot_label_issues",
    "plot_calibration", "compute_saliency", "plot_saliency", "compare_ensembles", "make_report",
}  # fmt: skip
OF_FC = SCORES | {"train_fold", "predict_held_out", "score_held_out", "compare_factors", "plot_factors"}


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        (None, set()),
        (COMMENT, set()),
        (ARCHITECTURE, OF_FC | {"summarize_architecture"}),
        (SETTING, OF_FC),
        (PREDICTIONS, SCORES),
    ],
    ids=["nothing", "comment", "architecture", "setting", "predictions"],
)
def test_what_is_rebuilt_after_a_run_on_the_cluster(project, change, rules):
    if change:
        project.edit(*change)
    assert set(project.planned()) == rules


def test_a_changed_function_rebuilds_what_uses_it(project):
    project.edit("scripts/fercv/visualize/saliency.py", r"np\.abs\(", "np.absolute(")
    assert project.planned() == {"compute_saliency": 2, "plot_saliency": 2, "make_report": 1}


def test_one_file_runs_only_its_jobs(project):
    earlier = project.cluster.jobs()
    project.edit(*SETTING)
    project.run("results/demo-tiny/fc/folds/01/history.csv")
    assert list(rules_of(project.cluster.jobs_after(earlier))) == ["train_fold fc_01"]
    assert project.planned()["train_fold"] == 1


# Faults: the fold stops itself in its second and last epoch, and then something happens to it.


@pytest.fixture
def steps(project):
    """The number of batches in an epoch of the fold. The outputs of the fold are removed."""
    metrics = json.loads((project.folder / TARGET).read_text(encoding="utf-8"))
    for file in (project.folder / FOLD).iterdir():
        file.unlink()
    return metrics["training_rows"] // 32


def start_and_stop(project, steps, again="again"):
    """Start Snakemake for the fold; return it, the fold's process and its Slurm job when it has stopped itself.

    Before Slurm ends a process it continues it. With `again` the fold has no time then to train its last batches.
    """
    earlier = project.cluster.jobs()
    snakemake = project.launch(TARGET, fault=f"batch {steps + 2} {int(signal.SIGSTOP)} {again}")
    wait_until(lambda: project.once.exists() or snakemake.poll() is not None)
    assert snakemake.poll() is None, snakemake.stdout.read()
    (process,) = project.fold_processes()
    wait_until(lambda: process.status() == "stopped")
    (job,) = project.cluster.jobs_after(earlier)
    return snakemake, process, job


def check_the_end(project, on_slurm, steps):
    """Check the bytes against an undisturbed run, and that at most the lost batches of the second epoch ran twice."""
    assert project.contents() == on_slurm[0].contents()
    assert project.trained() <= 2 * steps + 2
    assert "cnn fold 00: goes on after epoch 1 of 2" in (project.folder / LOG).read_text(encoding="utf-8")


def cancel(cluster, job):
    cluster.command("scancel", job["JobId"])


def set_the_node_down_and_resume_it(cluster, job):
    node = cluster.command("hostname", "-s").strip()
    cluster.command("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    try:
        wait_until(lambda: cluster.jobs()[int(job["JobId"])]["JobState"] != "RUNNING")
        # A node refuses a job while it still has processes of that job. To be sure, Slurm would wait for two minutes.
        wait_until(lambda: not cluster.processes_of(job["JobId"]))
    finally:
        cluster.command("scontrol", "update", f"NodeName={node}", "State=RESUME")
    wait_until(lambda: starts(cluster, job))


def starts(cluster, job):
    """Whether a job that waits again has started. If not, it is told to, as Slurm forgets that while the job ends."""
    state = cluster.jobs()[int(job["JobId"])]["JobState"]
    if state == "PENDING":
        # It may start just now; then Slurm refuses the update.
        with contextlib.suppress(subprocess.CalledProcessError):
            cluster.command("scontrol", "update", f"JobId={job['JobId']}", "StartTime=now")
    return state in ("RUNNING", "COMPLETED")


def give_it_a_minute(cluster, job):
    cluster.command("scontrol", "update", f"JobId={job['JobId']}", "TimeLimit=1")


@pytest.mark.parametrize("fault", [cancel, set_the_node_down_and_resume_it, give_it_a_minute])
def test_a_fold_that_slurm_ends_is_tried_again_and_goes_on(project, on_slurm, steps, fault):
    cluster, earlier = project.cluster, project.cluster.jobs()
    snakemake, _, job = start_and_stop(project, steps)
    fault(cluster, job)
    said = snakemake.communicate(timeout=240)[0]
    assert snakemake.returncode == 0, said
    check_the_end(project, on_slurm, steps)
    jobs = cluster.jobs_after(earlier)
    if fault is set_the_node_down_and_resume_it:
        # Slurm itself starts the job again.
        assert [fields["Restarts"] for fields in jobs] == ["1"]
    else:
        # The second attempt asks for more memory and time.
        assert [fields["MinMemoryNode"] for fields in jobs] == ["2500M", "5000M"]
        assert jobs[1]["TimeLimit"] == "00:48:00"
        assert jobs[0]["JobState"] == {cancel: "CANCELLED", give_it_a_minute: "TIMEOUT"}[fault]


def test_without_checkpoints_a_cancelled_fold_starts_from_the_beginning(project, on_slurm, steps):
    """The control: a fold that starts from the beginning trains more batches than `check_the_end` allows."""
    project.edit("experiments/demo-tiny.yaml", "$", "\ncheckpoints: {share: 0}")
    snakemake, _, job = start_and_stop(project, steps)
    cancel(project.cluster, job)
    said = snakemake.communicate(timeout=240)[0]
    assert snakemake.returncode == 0, said
    assert project.trained() > 2 * steps + 2
    assert "goes on after" not in (project.folder / LOG).read_text(encoding="utf-8")
    assert project.contents() == on_slurm[0].contents()


def test_snakemake_killed_its_jobs_cancelled_and_started_again(project, on_slurm, steps):
    cluster, earlier = project.cluster, project.cluster.jobs()
    snakemake, _, job = start_and_stop(project, steps)
    snakemake.kill()
    said = snakemake.communicate()[0]
    assert f"SLURM run ID: {job['JobName']}" in said
    cluster.command("scancel", "--name", job["JobName"])
    wait_until(lambda: not cluster.command("squeue", "--noheader", "--name", job["JobName"]))
    assert "--unlock" in project.run(TARGET, check=False)
    project.run("--unlock")
    project.run(TARGET)
    check_the_end(project, on_slurm, steps)
    assert list(rules_of(cluster.jobs_after(earlier))) == ["train_fold cnn_00"]
    assert [fields["JobState"] for fields in cluster.jobs_after(earlier)] == ["CANCELLED", "COMPLETED"]


def test_snakemake_killed_and_started_again_while_its_job_goes_on(project, on_slurm, steps):
    """Without scancel the fold's second job waits for the first one, and then takes over what the first has trained."""
    snakemake, process, _ = start_and_stop(project, steps, again="")
    snakemake.kill()
    snakemake.communicate()
    project.run("--unlock")
    second = project.launch(TARGET)
    log = project.folder / LOG
    waiting = f"cnn fold 00: waiting, process {process.pid} on "
    try:
        wait_until(lambda: second.poll() is not None or (log.exists() and waiting in log.read_text(encoding="utf-8")))
    finally:
        process.resume()
    said = second.communicate(timeout=240)[0]
    assert second.returncode == 0, said
    assert project.contents() == on_slurm[0].contents()
    assert project.trained() == 2 * steps


# Code and settings that change between planning and the job.


def change_the_code(project):
    project.edit("scripts/fercv/train/optimizer.py", r"0\.5 \* \(1 \+", "0.4 * (1 +")


def change_a_setting(project):
    project.edit("experiments/demo-tiny.yaml", r"batch_size: 32", "batch_size: 16")


def start_then_change(project, change):
    """Change something while the fold's job waits in the queue; return Snakemake's output and exit status."""
    cluster = project.cluster
    cluster.command("scontrol", "update", "PartitionName=all", "State=DOWN")
    try:
        earlier = cluster.jobs()
        snakemake = project.launch(TARGET, "--retries", "0")
        wait_until(lambda: cluster.jobs_after(earlier) or snakemake.poll() is not None)
        change(project)
    finally:
        cluster.command("scontrol", "update", "PartitionName=all", "State=UP")
    return snakemake.communicate(timeout=240)[0], snakemake.returncode


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (change_the_code, "its code under scripts/ has changed since Snakemake planned this job"),
        (change_a_setting, "a setting has changed since Snakemake planned this job"),
    ],
)
@pytest.mark.usefixtures("steps")
def test_what_changed_while_a_job_was_in_the_queue_is_refused(project, change, message):
    said, status = start_then_change(project, change)
    assert status != 0
    assert message in said
    assert not (project.folder / FOLD / "model.keras").exists()


@pytest.mark.usefixtures("steps")
def test_without_the_digests_in_the_environment_the_wrong_code_goes_unnoticed(project):
    """The control: Snakemake records the new code's results as results of the code that it planned with."""
    project.edit("scripts/fercv/workflow/planning.py", r"planned\.get\(name, value\)", "value")
    _, status = start_then_change(project, change_the_code)
    assert status == 0
    project.edit("scripts/fercv/train/optimizer.py", r"0\.4 \* \(1 \+", "0.5 * (1 +")
    assert "train_fold" not in project.planned(TARGET)
