"""The workloads as Airflow DAGs."""

from datetime import datetime

from airflow.sdk import DAG, task


def build(dag_id, shape):
    with DAG(dag_id, schedule=None, start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=4) as dag:

        @task
        def step():
            return None

        def a(name):
            return step.override(task_id=name)()

        shape(a)
    return dag


def chain(tasks):
    def shape(step):
        before = step("task_0")
        for i in range(1, tasks):
            after = step(f"task_{i}")
            before >> after
            before = after

    return shape


def fan(width):
    def shape(step):
        first = step("first")
        last = step("last")
        for i in range(width):
            first >> step(f"wide_{i}") >> last

    return shape


chain40 = build("chain40", chain(40))
fan200 = build("fan200", fan(200))
