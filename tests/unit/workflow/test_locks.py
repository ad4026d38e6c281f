import subprocess
import sys

from helpers import REPOSITORY

from fercv.workflow.locks import locked


def test_where_locks_are_not_supported_a_line_says_so(tmp_path, caplog, monkeypatch):
    def unsupported(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with locked(tmp_path / "locks" / "cnn_00.lock", "cnn fold 00"):
        assert "cannot be locked (Function not implemented)" in caplog.text


HOLDER = """
import sys, time
sys.path.insert(0, {scripts!r})
from pathlib import Path
from fercv.workflow.locks import locked
with locked(Path({path!r}), "cnn fold 00"):
    print("locked", flush=True)
    time.sleep({seconds})
"""


def start_holder(path, seconds):
    code = HOLDER.format(scripts=str(REPOSITORY / "scripts"), path=str(path), seconds=seconds)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_second_process_waits_and_says_for_whom(tmp_path, caplog):
    path = tmp_path / "locks" / "cnn_00.lock"
    holder = start_holder(path, 2)
    assert holder.stdout.readline() == "locked\n"
    with locked(path, "cnn fold 00"):
        assert holder.wait(10) == 0
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith(f"cnn fold 00: waiting, process {holder.pid} on ")
    assert not path.parent.exists()


def test_the_lock_goes_with_a_killed_process(tmp_path, caplog):
    path = tmp_path / "cnn_00.lock"
    holder = start_holder(path, 600)
    holder.stdout.readline()
    holder.kill()
    holder.wait()
    with locked(path, "cnn fold 00"):
        assert path.read_text(encoding="utf-8").startswith("process ")
    assert caplog.text == ""


def test_of_many_processes_one_at_a_time_holds_it(tmp_path):
    """This holds although each process removes the file after it."""
    trace = tmp_path / "trace"
    code = HOLDER.replace("time.sleep({seconds})", "\n".join([
        "open({trace!r}, 'a').write('(')", "    time.sleep(0.02)", "    open({trace!r}, 'a').write(')')"
    ]))  # fmt: skip
    code = code.format(scripts=str(REPOSITORY / "scripts"), path=str(tmp_path / "locks" / "lock"), trace=str(trace))
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL) for _ in range(8)]
    assert [process.wait(60) for process in processes] == [0] * 8
    assert trace.read_text(encoding="utf-8") == "()" * 8
