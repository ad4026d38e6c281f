"""The threads and GPUs that a job may use, as Snakemake tells it."""

from fercv.workflow.jobs import job_name


def resources_of(snakemake) -> dict:
    """The arguments of `fercv.engine.setup.set_up` that follow from what Snakemake tells a job.

    Returns:
        {"name": the job's, "threads": number of processor threads, "jobs_per_gpu": how many jobs may compute on a GPU
        at a time, 0 where this job asks for no GPU}.
    """
    return {
        "name": job_name(snakemake),
        "threads": snakemake.threads,
        "jobs_per_gpu": snakemake.config["gpus"]["jobs_per_gpu"] if asks_for_gpu(snakemake) else 0,
    }


def asks_for_gpu(snakemake) -> bool:
    """Whether a job asks for a GPU, by the resource `gpu` or by Slurm's `gres`."""
    return bool(snakemake.resources.get("gpu", 0)) or "gpu" in snakemake.resources.get("gres", "")
