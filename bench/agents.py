"""Agents of mingle on the loopback, for the scripts beside this one. Linux."""

import json
import os
import subprocess
import sys
import time
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")


class Agent:
    """`mingle agent` as a process, gossiping at `port` and answering at `port + 1000`."""

    def __init__(self, program, name, port, *flags, log=subprocess.DEVNULL):
        self.program, self.name = program, name
        self.gossip, self.http = f"127.0.0.1:{port}", f"127.0.0.1:{port + 1000}"
        places = ["--name", name, "--bind", self.gossip, "--http", self.http]
        command = [program, "agent", "--json", "--log-format", "json", *places, *flags]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if not line or json.loads(line)["event"] != "ready":
            sys.exit(f"{name} did not start")

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.http}{path}", timeout=20) as answer:
            return answer.read().decode()

    def post(self, path, body):
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.http}{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def members(self):
        """Name to state and the rest."""
        return {member["name"]: member for member in json.loads(self.get("/v1/members"))}

    def alive(self):
        return sum(member["state"] == "alive" for member in self.members().values())

    def metric(self, name):
        """A gauge or a counter, summed over its labels."""
        lines = [line.split(" ") for line in self.get("/metrics").splitlines() if not line.startswith("#")]
        return sum(float(value) for key, value in lines if key.split("{")[0] in (f"mingle_{name}", f"mingle_{name}_total"))

    def resident_kb(self):
        with open(f"/proc/{self.process.pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def wait(what, seconds, is_so):
    """How long it took; ends everything when it does not come."""
    begin = time.monotonic()
    while not is_so():
        if time.monotonic() - begin > seconds:
            sys.exit(f"{what}: not within {seconds} s")
        time.sleep(0.02)
    return time.monotonic() - begin
