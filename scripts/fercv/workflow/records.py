"""What Snakemake records of each job, under `benchmarks/`, at less cost to the job and to Snakemake itself."""

import psutil

GROWTH = 1.02


def measure_memory_rarely() -> None:
    """Let Snakemake count the pages of a job only when the job takes more memory than at the last count.

    Snakemake asks psutil twice a second how much memory a job has. For two of the columns, max_uss and max_pss, Linux
    then walks through all pages of the process: 50 ms for one with TensorFlow, in which it may not map memory. The size
    of the resident memory, in contrast, is a number that Linux keeps at hand. As long as it has not grown by 2 %, the
    two columns keep their last values. max_rss, max_vms and all other columns are measured each time, as before.

    Where Snakemake asks for something else, this has no effect.
    """
    count_pages = psutil.Process.memory_full_info

    def memory_full_info(process: psutil.Process):
        now, counted = process.memory_info(), getattr(process, "fercv_counted", None)
        if counted is None or now.rss > GROWTH * counted.rss:
            counted = process.fercv_counted = count_pages(process)
            return counted
        return counted._replace(**now._asdict())

    psutil.Process.memory_full_info = memory_full_info
