"""Starts smallserver/server.py, a server that leakcheck judges, for the time of a
test."""

import os
import subprocess

from tree import ROOT

SERVER = os.path.join(ROOT, "tests", "e2e", "smallserver", "server.py")


class Small:
    """One small server, for the time of a test."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [SERVER, *options], stdout=subprocess.PIPE, text=True
        )
        self.url = self.process.stdout.readline().strip()
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
