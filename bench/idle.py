#!/usr/bin/env python3
"""What agents cost that have nothing to do: three of mingle and three of Serf, at the same time.

usage: bench/idle.py MINGLE SERF [SECONDS]

Linux. Ports 18000 to 18302 of the loopback have to be free. Memory is what is resident at the end;
processor time and context switches are of the seconds in between, which begin when all have met.
"""

import json
import os
import statistics
import subprocess
import sys
import time

TICKS = os.sysconf("SC_CLK_TCK")
STARTS = 20


def use(pid):
    """Seconds of processor time, kB resident and context switches so far."""
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    lines = []
    for path in [f"/proc/{pid}/status", *(f"/proc/{pid}/task/{t}/status" for t in os.listdir(f"/proc/{pid}/task"))]:
        with open(path) as file:
            lines.append(dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line))
    switches = sum(int(of[kind]) for of in lines[1:] for kind in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches"))
    return (int(fields[11]) + int(fields[12])) / TICKS, int(lines[0]["VmRSS"].split()[0]), switches


def mingle(program, number):
    join = ["--retry-join", "127.0.0.1:18000"] if number else []
    places = ["--bind", f"127.0.0.1:{18000 + number}", "--http", f"127.0.0.1:{18100 + number}"]
    return [program, "agent", "--name", f"m{number}", *places, *join]


def serf(program, number):
    join = ["-retry-join=127.0.0.1:18200"] if number else []
    places = [f"-bind=127.0.0.1:{18200 + number}", f"-rpc-addr=127.0.0.1:{18300 + number}"]
    return [program, "agent", f"-node=s{number}", *places, *join]


def start(command):
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_until_met(program, asked):
    for _ in range(300):
        said = subprocess.run([program, "members", *asked], capture_output=True, text=True).stdout
        if said.count("alive") == 3:
            return
        time.sleep(0.1)
    sys.exit(f"{program}: three agents have not met within 30 s")


def idle(programs, seconds):
    agents = {name: [] for name in programs}
    try:
        for name, (command, program, _) in programs.items():
            agents[name] += (start(command(program, n)) for n in range(3))
        for _, program, asked in programs.values():
            wait_until_met(program, asked)
        time.sleep(10)  # what a join leaves behind is not the rest
        before = {name: [use(agent.pid) for agent in of] for name, of in agents.items()}
        time.sleep(seconds)
        for name, of in agents.items():
            pairs = list(zip(before[name], [use(agent.pid) for agent in of]))
            memory = statistics.median(after[1] for _, after in pairs)
            cpu = statistics.median((after[0] - was[0]) / seconds * 1000 for was, after in pairs)
            switches = statistics.median((after[2] - was[2]) / seconds for was, after in pairs)
            print(f"{name}: {memory / 1000:.1f} MB resident, {cpu:.2f} ms of processor time and {switches:.1f} context switches a second")
    finally:
        for agent in sum(agents.values(), []):
            agent.kill()
            agent.wait()


def starts(program):
    took = []
    for _ in range(STARTS):
        begin = time.perf_counter()
        agent = subprocess.Popen([*mingle(program, 0), "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        ready = json.loads(agent.stdout.readline())
        took.append((time.perf_counter() - begin) * 1000)
        assert ready["event"] == "ready"
        agent.kill()
        agent.wait()
    print(f"mingle, start to ready: {statistics.median(took):.1f} ms, {max(took):.1f} ms at the worst of {STARTS}")


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    ours, theirs = sys.argv[1:3]
    seconds = int(sys.argv[3]) if len(sys.argv) == 4 else 60
    programs = {
        "mingle": (mingle, ours, ["--http", "127.0.0.1:18100"]),
        "serf": (serf, theirs, ["-rpc-addr=127.0.0.1:18300"]),
    }
    idle(programs, seconds)
    starts(ours)


main()
