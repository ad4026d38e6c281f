"""How often Snakemake looks for jobs that it can start."""

# What Snakemake takes if the user does not say anything: 100 jobs in one second.
DEFAULT_LIMIT = (100, 1)


def look_for_jobs_when_some_end(scheduler) -> None:
    """Let Snakemake look for jobs to start when a job has ended, and not every second besides.

    Snakemake limits how many jobs it starts in a second. So that the others start a second later, each look for jobs
    sets off a timer for the next look, whether a job was held back or not. Each job that ends adds a look, and with it
    a series of timers that never ends: after 100 jobs, Snakemake looks 100 times a second (version 9.27). In the demo
    this took nearly a tenth of all processor time, see benchmarks/README.md.

    Folds take seconds at least, so nothing needs the limit. A limit that the user has set with
    --max-jobs-per-timespan stays, and the timers with it.

    Args:
        scheduler: Snakemake's JobScheduler, before it starts any job.
    """
    limiter = scheduler.job_rate_limiter
    if limiter is not None and (limiter.max_jobs, limiter.timespan) == DEFAULT_LIMIT:
        scheduler.job_rate_limiter = None
