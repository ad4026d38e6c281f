import os

import numpy as np
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


def test_pages_are_counted_only_when_memory_has_grown(counts):
    """If this fails, Snakemake measures in another way, and has its records cost what they cost."""
    timer = BenchmarkTimer(os.getpid(), BenchmarkRecord())
    for _ in range(5):
        timer.work()
    assert counts.count(os.getpid()) == 1
    before = timer.bench_record.max_uss
    grown = np.ones(100 * MEBIBYTE, dtype=np.uint8)
    for _ in range(5):
        timer.work()
    assert counts.count(os.getpid()) == 2
    assert timer.bench_record.max_uss - before == pytest.approx(grown.nbytes / MEBIBYTE, rel=0.1)


def test_records_have_all_columns(counts):
    record = BenchmarkRecord(running_time=1.0)
    BenchmarkTimer(os.getpid(), record).work()
    columns = dict(zip(record.get_header(), record.get_benchmarks(), strict=True))
    assert "NA" not in columns.values() and None not in columns.values()
    assert 0 < columns["max_uss"] <= columns["max_pss"] <= columns["max_rss"] <= columns["max_vms"]
