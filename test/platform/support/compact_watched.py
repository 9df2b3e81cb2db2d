"""Runs compaction, ends it right after named steps, and looks at the table from outside after every step.

Arguments, all JSON: `--options`; `--kills` partition → {"step": name, "time": n}, where the partition "*" ends the whole run; `--watch` true or
false; `--first` statements to run before. A partition that is killed is left as it is, and the run goes on with the next.
Result: {"killed": partitions, "steps": [[step, rows of the table, its checksum, rows in the table's folders]], "after": the same three, "result"}.
"""

import contextlib
import os
import sys
from collections import Counter

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../jobs"))

from qcompany import runtime
from qcompany.compaction.run import Run


class Killed(BaseException):
    """Not an Exception: nothing of the job may catch it, as nothing catches a kill."""


def seen(spark, table):
    """What a query sees, and what somebody sees who lists the folders of the table and reads every file in them."""
    rows, checksum = spark.sql(f"select count(*), sum(cast(xxhash64(transaction_id, units, _line_no) as decimal(38,0))) from {table}").collect()[0]
    _, root = runtime.location(spark, table)
    listed = spark.read.schema("transaction_id string").parquet(root.toString()).count()
    return [rows, str(checksum), listed]


class Watched(Run):
    """A run in which partitions are killed."""

    def __init__(self, spark, options, kills, watch):
        super().__init__(spark, options, self.step_done)
        self.kills = kills
        self.watch = watch
        self.killed, self.steps = [], []
        self.partition, self.counts = "*", Counter()
        self.looking = spark.newSession()

    def _begin(self, plan):
        self.partition, self.counts = plan["partition"], Counter()
        try:
            return super()._begin(plan)
        except Killed:
            self.partition = "*"
            return None

    def _advance(self, work):
        self.partition, self.counts = work.partition, Counter()
        try:
            return super()._advance(work)
        except Killed:
            return False
        finally:
            self.partition = "*"

    def step_done(self, step):
        self.counts[step] += 1
        if self.watch:
            self.steps.append([step, *seen(self.looking, self._table)])
        kill = self.kills.get(self.partition, {})
        if kill.get("step") == step and kill.get("time", 1) == self.counts[step]:
            self.killed.append(self.partition)
            raise Killed()


def main():
    spark = runtime.session()
    options, kills, watch, first = runtime.arguments(__doc__.splitlines()[0], "options", "kills", "watch", "first")
    for statement in first["statements"]:
        spark.sql(statement)
    run, result = Watched(spark, options, kills, watch["watch"]), None
    with contextlib.suppress(Killed):
        result = run.carry_out()
    after = seen(spark.newSession(), options["table"])
    runtime.write_result({"killed": run.killed, "steps": run.steps, "after": after, "result": result})


if __name__ == "__main__":
    main()
