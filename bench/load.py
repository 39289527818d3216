#!/usr/bin/env python3
"""What an agent does when much is asked of it.

usage: bench/load.py MINGLE CROWD

MINGLE is target/release/mingle, CROWD target/release/examples/crowd. Needs `wrk` (Debian's package has that name) and the ports 20000 to
20002 and 21000 to 21002 of the loopback.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
import urllib.request

from agents import Agent, wait

TOLD, JOINING, WATCHERS, RUNS, WRK_SECONDS = 10_000, 500, 100, 20, 30


def list_many(program, crowd):
    agent = Agent(program, "a", 20000)
    try:
        subprocess.run([crowd, "told", agent.gossip, str(TOLD)], check=True, stdout=subprocess.DEVNULL)
        wait("everybody is known", 10, lambda: len(agent.members()) == TOLD + 1)
        took = []
        for _ in range(RUNS):
            begin = time.perf_counter()
            command = [program, "members", "--json", "--http", agent.http]
            told = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
            took.append((time.perf_counter() - begin) * 1000)
        count = len(json.loads(told))
        median, worst = statistics.median(took), max(took)
        print(f"members --json of {count}: {median:.0f} ms, {worst:.0f} ms at the worst of {RUNS}; {len(told) / 1e6:.1f} MB")
        print(f"  the agent has {agent.resident_kb() / 1000:.0f} MB resident")
    finally:
        agent.kill()


class Watcher(threading.Thread):
    """Follows the stream of an agent, and counts who has joined."""

    def __init__(self, agent):
        super().__init__(daemon=True)
        self.stream = urllib.request.urlopen(f"http://{agent.http}/v1/watch", timeout=60)
        self.joined, self.gaps = 0, 0
        self.start()

    def run(self):
        kind = b""
        for line in self.stream:
            if line.startswith(b"event: "):
                kind = line[7:].strip()
                self.gaps += kind == b"gap"
            elif line.startswith(b"data: ") and kind == b"change":
                self.joined += b'"change":"joined"' in line
            elif line.startswith(b"data: ") and kind == b"end":
                return


def watch_a_join(program, crowd):
    agent = Agent(program, "a", 20000)
    command = ["nice", "-n", "10", crowd, "nodes", agent.gossip, str(JOINING)]
    try:
        watchers = [Watcher(agent) for _ in range(WATCHERS)]
        before = agent.metric("loop_lag_max_microseconds")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as nodes:
            took = wait("everybody has joined", 120, lambda: agent.metric("members") == JOINING + 1 or time.sleep(0.5))
            wait("all watchers know", 60, lambda: min(watcher.joined for watcher in watchers) >= JOINING)
            lag, late = agent.metric("loop_lag_max_microseconds") / 1000, lags(agent)
            nodes.stdin.close()
        gaps = sum(watcher.gaps for watcher in watchers)
        print(f"{WATCHERS} watchers while {JOINING} join, in {took:.0f} s: {gaps} gaps, {late}, {lag:.1f} ms late at the worst ({before / 1000:.1f} before)")
    finally:
        agent.kill()


def lags(agent):
    """How many deadlines fired later than 8 ms, of how many."""
    buckets = {}
    for line in agent.get("/metrics").splitlines():
        if found := re.match(r'mingle_loop_lag_seconds_bucket\{le="(.+)"\} (\d+)', line):
            buckets[found[1]] = int(found[2])
    fine = max(int(count) for bound, count in buckets.items() if bound != "+Inf" and float(bound) <= 0.008)
    return f"{buckets['+Inf'] - fine} of {buckets['+Inf']} deadlines more than 8 ms late"


def be_asked(program):
    agents = [Agent(program, "a", 20000)]
    try:
        agents += [Agent(program, name, port, "--join", agents[0].gossip) for name, port in (("b", 20001), ("c", 20002))]
        wait("three have met", 10, lambda: all(agent.alive() == 3 for agent in agents))
        command = ["wrk", "-t1", "-c32", f"-d{WRK_SECONDS}s", f"http://{agents[0].http}/v1/members"]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rate = re.search(r"Requests/sec:\s+([0-9.]+)", said)[1]
        refused = re.search(r"Non-2xx.*|Socket errors.*", said)
        sums = {name: sum(agent.metric(name) for agent in agents) for name in ("probes", "probes_failed", "members_suspected", "changes")}
        lag = agents[0].metric("loop_lag_max_microseconds") / 1000
        print(f"wrk, 32 connections for {WRK_SECONDS} s: {rate} requests a second, {refused[0] if refused else 'no errors'}")
        print(f"  of three agents {sums['probes']:.0f} probes, {sums['probes_failed']:.0f} failed, {sums['members_suspected']:.0f} suspected; {lag:.1f} ms late at the worst")
        print(f"  changes: {sums['changes']:.0f}, of which 6 are the joins")
    finally:
        for agent in agents:
            agent.kill()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, crowd = sys.argv[1:]
    print(f"on {os.cpu_count()} cores")
    list_many(program, crowd)
    watch_a_join(program, crowd)
    be_asked(program)


main()
