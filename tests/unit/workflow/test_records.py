import os
import subprocess
import sys

import psutil
import pytest
from snakemake.benchmark import BenchmarkRecord, BenchmarkTimer

from fercv.workflow.records import measure_memory_rarely

MEBIBYTE = 2**20


@pytest.fixture
def counts(monkeypatch):
    """The processes whose pages were counted, in this order."""
    found, count_pages = [], psutil.Process.memory_full_info

    def memory_full_info(process):
        found.append(process.pid)
        return count_pages(process)

    monkeypatch.setattr(psutil.Process, "memory_full_info", memory_full_info)
    measure_memory_rarely()
    return found


@pytest.fixture
def growing():
    """A process of Python that takes as many bytes as a line of its input says, and answers when it has them."""
    code = "import sys\nheld = []\nfor line in sys.stdin:\n    held.append(b'x' * int(line))\n    print(flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def grow(process: subprocess.Popen, size: int) -> None:
    print(size, file=process.stdin, flush=True)
    process.stdout.readline()


def test_pages_are_counted_only_when_memory_has_grown(counts, growing):
    """If this fails, Snakemake measures in another way, and has its records cost what they cost."""
    grow(growing, 1)
    timer = BenchmarkTimer(growing.pid, BenchmarkRecord())
    for _ in range(5):
        timer.work()
    assert counts == [growing.pid]
    before = timer.bench_record.max_uss
    grow(growing, 100 * MEBIBYTE)
    for _ in range(5):
        timer.work()
    assert counts == [growing.pid] * 2
    assert timer.bench_record.max_uss - before == pytest.approx(100, rel=0.01)


def test_records_have_all_columns(counts):
    record = BenchmarkRecord(running_time=1.0)
    BenchmarkTimer(os.getpid(), record).work()
    columns = dict(zip(record.get_header(), record.get_benchmarks(), strict=True))
    assert "NA" not in columns.values() and None not in columns.values()
    assert 0 < columns["max_uss"] <= columns["max_pss"] <= columns["max_rss"] <= columns["max_vms"]
