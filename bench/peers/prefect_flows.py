"""The workloads as Prefect flows: chain_flows.py NAME, run against the server of PREFECT_API_URL."""

import sys

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner


@task
def step(before=None):
    return None


@flow(name="chain40")
def chain40():
    for _ in range(40):
        step()


@flow(name="chain100")
def chain100():
    for _ in range(100):
        step()


@flow(name="fan200", task_runner=ThreadPoolTaskRunner(max_workers=16))
def fan200():
    step()
    for future in [step.submit() for _ in range(200)]:
        future.result()
    step()


for _ in range(2):
    {"chain40": chain40, "chain100": chain100, "fan200": fan200}[sys.argv[1]]()
