"""Stands for the Python that would run a job: hands it over to a process with all imports, see tests/warm.py."""

import json
import os
import socket
import sys
from pathlib import Path

with socket.socket(socket.AF_UNIX) as server:
    server.connect(os.environ["FERCV_WARM_JOBS"])
    request = json.dumps([sys.argv[1], str(Path.cwd()), dict(os.environ)]).encode()
    socket.send_fds(server, [len(request).to_bytes(8)], [0, 1, 2])
    server.sendall(request)
    status = server.recv(1)
# The process has died if it tells no status.
sys.exit(status[0] if status else 1)
