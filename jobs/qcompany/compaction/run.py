"""One run over a table: what earlier runs began is carried on, then partitions that are worth it are begun."""

import time
import uuid
from collections import Counter, namedtuple

from pyspark.sql import functions as F

from . import content
from .files import LakeFiles
from .partition_work import PartitionWork
from .partitions import Partitions

REPORT = "enriched.compactions"
DEFAULTS = {"targetMb": 128, "minFiles": 4, "quietMinutes": 60, "graceMinutes": 60, "mostPartitions": 200}
REPORT_ROW = """compaction_id string, table_name string, partition_name string, files_before int, bytes_before bigint,
  files_after int, bytes_after bigint, row_count bigint, checksum string, began double, switched double, month string"""

Lake = namedtuple("Lake", "spark files partitions options")


class Run:
    """A run. `at` is told of every step that was done, so that a test can end the run there."""

    def __init__(self, spark, options, at=lambda step: None):
        options = {**DEFAULTS, **options}
        self._table = options["table"]
        lake = spark.conf.get("spark.sql.warehouse.dir").rstrip("/").rpartition("/")[0]
        # Beside the tables, not below one: whoever lists the folders of a table meets its rows once.
        self._folder = f"{lake}/compaction/{self._table}"
        self._lake = Lake(spark, LakeFiles(spark, self._folder), Partitions(spark, self._table), options)
        self._at = at
        self._states = Counter()
        self._failed = []

    def carry_out(self):
        """Does what can be done by now and returns what was done; failures are told, not thrown."""
        open_works = self._open()
        for work in open_works:
            self._advance(work)
        plans = self._plans({work.partition for work in open_works})
        most = self._lake.options["mostPartitions"]
        begun = [work for plan in plans[:most] for work in [self._begin(plan)] if work is not None]
        switched = [work for work in (*open_works, *begun) if work.has("switched") and not work.has("reported")]
        self._report(switched)
        return {
            "table": self._table,
            "compacted": [{name: one[name] for name in RESULT} for one in (work.report() for work in begun if work.has("switched"))],
            "settled": self._states["settled"],
            "finished": self._states["finished"],
            "abandoned": self._states["abandoned"],
            "failed": self._failed,
            "left": max(0, len(plans) - most),
        }

    def _open(self):
        files, works = self._lake.files, []
        for name in files.names(self._folder):
            plan = files.read_json(f"{self._folder}/{name}/plan.json")
            if plan is None and not any(inner.startswith("data-") for inner in files.names(f"{self._folder}/{name}")):
                # Killed before there was a plan: nothing was begun.
                files.remove(f"{self._folder}/{name}")
            elif plan is None:
                # A writer had looked its folder up longer ago than the grace is.
                self._failed.append({"partition": name, "reason": f"{self._folder}/{name} was written to after it was removed"})
            else:
                works.append(PartitionWork(self._lake, f"{self._folder}/{name}", plan, self._at))
        return works

    def _begin(self, plan):
        folder = f"{self._folder}/{int(time.time() * 1000)}-{uuid.uuid4().hex[:8]}"
        work = PartitionWork.begin(self._lake, folder, plan, self._at)
        return work if self._advance(work) else None

    def _advance(self, work):
        try:
            state = work.advance()
        except Exception as error:
            self._failed.append({"partition": work.partition, "reason": str(error).strip().split("\n")[0][:500]})
            work.give_up()
            return False
        self._states[state] += 1
        return state != "abandoned"

    def _plans(self, begun):
        """Partitions that stood still for long enough and have more files than their bytes need."""
        files, partitions, options = self._lake.files, self._lake.partitions, self._lake.options
        newest = (time.time() - options["quietMinutes"] * 60) * 1000
        plans = []
        for partition in partitions.names():
            home = partitions.home(partition)
            if partition in begun or files.count(home) < options["minFiles"]:
                continue
            found = files.facts(home)
            size = sum(facts.bytes for facts in found.values())
            wanted = content.wanted_files(size, options["targetMb"] * content.MEGABYTE)
            if len(found) < max(options["minFiles"], wanted + 1) or max(facts.changed for facts in found.values()) > newest:
                continue
            # A partition that somebody keeps elsewhere is theirs.
            if partitions.same(partitions.location(partition), home):
                plan = {"table": self._table, "partition": partition, "wanted": wanted, "began": time.time()}
                plans.append({**plan, "filesBefore": len(found), "bytesBefore": size, "files": found})
        return plans

    def _report(self, works):
        """A row for each compaction that readers were switched to, once."""
        if not works:
            return
        spark = self._lake.spark
        rows = spark.createDataFrame([report_row(work.report()) for work in works], REPORT_ROW)
        rows = rows.withColumns({name: F.timestamp_seconds(name) for name in ("began", "switched")})
        # A run may have been killed between the rows and the marks.
        told = spark.table(REPORT).select("compaction_id")
        rows.join(told, "compaction_id", "left_anti").select(*spark.table(REPORT).columns).coalesce(1).write.insertInto(REPORT)
        self._at("told")
        for work in works:
            work.mark_reported()


RESULT = ("partition", "filesBefore", "bytesBefore", "filesAfter", "bytesAfter", "rows")


def report_row(one):
    """A report in the order of REPORT_ROW."""
    names = ("id", "table", "partition", "filesBefore", "bytesBefore", "filesAfter", "bytesAfter", "rows", "checksum", "began", "switchedAt")
    month = time.strftime("%Y-%m", time.gmtime(one["switchedAt"]))
    return (*(one[name] for name in names), month)
