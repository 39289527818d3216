#!/usr/bin/env python3
"""Whether agents last: killed again and again, and for half an hour among others who come and go.

usage: bench/endure.py kills MINGLE [TIMES]
       bench/endure.py soak MINGLE [MINUTES]

kills: one agent with a state folder is killed (SIGKILL) 200 times at random moments while its tags change. It knows nobody but by its
state file, has to be back in the views of the others each time, above its former self, and must never find its file damaged.
soak: 30 agents; 20 of them are killed, leave, and come back, and watchers come and go. Memory, descriptors and tasks of the other 10
must not grow by more than a twentieth once what is kept of the past is full. Ports 20000 to 20029 and 21000 to 21029 of the loopback have to be free.
"""

import http.client
import os
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from agents import Agent, wait


def kills(program, times):
    folder = tempfile.mkdtemp(prefix="mingle-kills-")
    chance = random.Random(47)
    log = open(os.path.join(folder, "log"), "w+")
    start = lambda *flags: Agent(program, "k", 20003, "--state", folder, *flags, log=log)
    others, victim, back, incarnation = [], None, [], 0
    try:
        others.append(Agent(program, "a", 20000))
        others += (Agent(program, name, port, "--join", others[0].gossip) for name, port in (("b", 20001), ("c", 20002)))
        victim = start("--join", others[0].gossip)
        for number in range(1, times + 1):
            wait("it is seen", 10, lambda: others[0].members().get("k", {}).get("state") == "alive")
            end = threading.Thread(target=kill_later, args=(victim, chance.uniform(0, 0.4)))
            end.start()
            load(victim)
            end.join()
            victim = start()
            agreed = lambda: {agent.members()["k"]["state"] + str(agent.members()["k"]["incarnation"]) for agent in [*others, victim]}
            back.append(wait(f"after kill {number} all see it", 30, lambda: len(agreed()) == 1 and agreed().pop().startswith("alive")))
            former, incarnation = incarnation, victim.members()["k"]["incarnation"]
            if incarnation <= former:
                sys.exit(f"after kill {number} it is at {incarnation}, and was at {former} before")
            if number % 20 == 0:
                print(f"{number} kills; all saw it again after {statistics.median(back):.2f} s, {max(back):.2f} s at the worst", flush=True)
        damaged = [name for name in os.listdir(folder) if "damaged" in name]
        log.seek(0)
        complaints = sum('"level":"WARN"' in line or '"level":"ERROR"' in line for line in log)
        deaths = sum(change_count(agent, "failed") for agent in others)
        if damaged or complaints:
            sys.exit(f"damaged files: {damaged}; warnings and errors in its log, {log.name}: {complaints}")
        print(f"damaged files: {damaged or 'none'}; warnings and errors in its log: {complaints} (in {log.name}); deaths seen by the others: {deaths:.0f}")
    finally:
        for agent in [*others, *filter(None, [victim])]:
            agent.kill()


def kill_later(agent, seconds):
    time.sleep(seconds)
    agent.kill()


def load(agent):
    """Changes its tags until it is gone."""
    number = 0
    try:
        while True:
            number += 1
            agent.post("/v1/tags", {"set": {"number": str(number)}})
    except (OSError, ValueError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            raise


RESIDENTS, CHURNING = 10, 20


def soak(program, minutes):
    chance = random.Random(47)
    seed = ["--retry-join", "127.0.0.1:20000"]
    agents, samples, churned = [], [], 0
    begin = time.monotonic()
    done = lambda: (time.monotonic() - begin) / 60
    try:
        agents += (Agent(program, f"n{number}", 20000 + number, *(seed if number else [])) for number in range(RESIDENTS + CHURNING))
        residents = agents[:RESIDENTS]
        watchers = threading.Thread(target=come_and_go, args=(residents, random.Random(48), lambda: done() > minutes), daemon=True)
        watchers.start()
        while done() < minutes:
            number = RESIDENTS + chance.randrange(CHURNING)
            if chance.random() < 0.5:
                agents[number].post("/v1/leave", {})
            agents[number].kill()
            time.sleep(chance.uniform(0, 4))
            agents[number] = Agent(program, f"n{number}", 20000 + number, *seed)
            churned += 1
            samples.append([done(), *(statistics.median(of) for of in zip(*(costs(agent) for agent in residents)))])
            if churned % 30 == 0:
                tell(samples[-1], churned)
            if not watchers.is_alive() and done() < minutes:
                sys.exit("the watchers have ended")
        wait("one view", 60, lambda: all(agent.alive() == len(agents) for agent in agents))
        sixths = []
        for what, span in (("fourth sixth", (1 / 2, 2 / 3)), ("last sixth", (5 / 6, 1))):
            chosen = [sample for sample in samples if span[0] <= sample[0] / minutes <= span[1]]
            kb, descriptors, tasks = (statistics.median(of) for of in list(zip(*chosen))[1:])
            sixths.append((kb, descriptors, tasks))
            print(f"{what} of {minutes} minutes: {kb / 1000:.2f} MB resident, {descriptors:.0f} descriptors, {tasks:.0f} tasks (medians of {RESIDENTS} agents)")
        verdicts = sum(change_count(agent, "failed") for agent in residents)
        # What is kept of the past (events, decisions) is full by the half of 30 minutes.
        if any(late > early * 1.05 for early, late in zip(*sixths)):
            sys.exit("it grows")
        print(f"{churned} agents came and went; deaths seen by the {RESIDENTS}: {verdicts:.0f}")
    finally:
        for agent in agents:
            agent.kill()


def costs(agent):
    return agent.resident_kb(), agent.descriptors(), agent.metric("tasks")


def tell(sample, churned):
    at, kb, descriptors, tasks = sample
    print(f"{at:5.1f} min: {churned} came and went; {kb / 1000:.2f} MB, {descriptors:.0f} descriptors, {tasks:.0f} tasks", flush=True)


def change_count(agent, change):
    lines = agent.get("/metrics").splitlines()
    return sum(float(line.split(" ")[1]) for line in lines if line.startswith(f'mingle_changes_total{{change="{change}"}}'))


def come_and_go(residents, chance, is_over):
    """Watchers that read for a while."""
    while not is_over():
        agent = chance.choice(residents)
        with urllib.request.urlopen(f"http://{agent.http}/v1/watch", timeout=60) as stream:
            until = time.monotonic() + chance.uniform(0, 10)
            for _ in stream:
                if time.monotonic() > until:
                    break


def main():
    what = {"kills": (kills, 200), "soak": (soak, 30)}.get(sys.argv[1] if len(sys.argv) in (3, 4) else None)
    if what is None:
        sys.exit(__doc__)
    run, often = what
    run(sys.argv[2], int(sys.argv[3]) if len(sys.argv) == 4 else often)


main()
