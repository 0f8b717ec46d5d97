"""Debian's Prometheus for the tests: its programs, unpacked and not installed, and
scripts/monitor.sh with what its Prometheus answers."""

import fcntl
import json
import os
import re
import signal
import subprocess
import time
import urllib.parse

from checks import LIMIT, check
from commands import run
from http_request import request
from tree import BUILD, ROOT, scratch

MONITOR = os.path.join(ROOT, "scripts", "monitor.sh")


def programs():
    """The directory with prometheus and promtool, which is unpacked once a build."""
    directory = os.path.join(BUILD, "prometheus")
    with open(os.path.join(BUILD, "prometheus.lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unpack = os.path.join(ROOT, "scripts", "prometheus-unpack.sh")
        run(unpack, directory, limit=280)
    return directory


def promtool(*arguments, **options):
    """Runs promtool in monitoring/; returns as run() does."""
    program = os.path.join(programs(), "promtool")
    return run(program, *arguments, cwd=os.path.join(ROOT, "monitoring"), **options)


class Monitor:
    """scripts/monitor.sh on a free port, with data of its own. Use it as a context
    manager."""

    READY = re.compile(r"Prometheus: http://127\.0\.0\.1:(\d+)(/\S+) watches (.*)")

    def __init__(self, *arguments, wrapper=()):
        self.data = scratch()
        self._output = open(os.path.join(scratch(), "output"), "w+b")
        self.process = subprocess.Popen(
            [*wrapper, MONITOR, "--port", "0", "--data", self.data, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PROMETHEUS": programs(), "BUILD": BUILD},
        )
        end = time.monotonic() + LIMIT
        while not (found := Monitor.READY.search(self.output())):
            check(self.process.poll() is None, f"it has ended: {self.output()}")
            check(time.monotonic() < end, f"not ready: {self.output()}")
            time.sleep(0.05)
        self.port, self.page, self.watched = int(found[1]), found[2], found[3]

    def output(self):
        """What it has printed."""
        with open(self._output.name, encoding="utf-8") as file:
            return file.read()

    def get(self, target):
        return request(self.port, "GET", target).expect(200)

    def api(self, path, **parameters):
        """What Prometheus' API answers."""
        query = urllib.parse.urlencode(parameters)
        reply = json.loads(self.get(f"/api/v1/{path}?{query}").body)
        check(reply["status"] == "success", f"{path} {parameters}: {reply}")
        return reply["data"]

    def query(self, expression):
        """The samples that an expression has now: (labels, number)."""
        result = self.api("query", query=expression)["result"]
        return [(each["metric"], float(each["value"][1])) for each in result]

    def firing(self):
        """The alerts that fire now: (name, instance)."""
        return {
            (alert["labels"]["alertname"], alert["labels"]["instance"])
            for alert in self.api("alerts")["alerts"]
            if alert["state"] == "firing"
        }

    def stop(self, sign=signal.SIGTERM):
        """Ends it, and returns its exit status."""
        self.process.send_signal(sign)
        return self.process.wait(LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process.poll() is None:
            self.stop()
        self._output.close()
