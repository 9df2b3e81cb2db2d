"""Staged files → `standardized.<feed>`: columns by name, typed, trimmed; bad rows → `standardized.quarantine`.

    spark-submit jobs/standardize.py --manifest FILE|JSON

Each file version is one partition (`file_id`) of its table, written as a whole, so any number of runs, killed at any
point, leave the same rows. Result (QFLOW_RESULT): {"files": [{fileId, feed, read, valid, quarantined, reasons, fileReasons, drift}]}.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from pyspark.sql import Observation
from pyspark.sql import functions as F
from qcompany import feeds, lines, runtime
from qcompany.header import Header, read_header
from qcompany.manifest import FEEDS, file_versions

QUARANTINE = "standardized.quarantine"
STAGE = "standardize"


def main():
    spark = runtime.session()
    (manifest,) = runtime.arguments(__doc__.splitlines()[0], "manifest")
    files = [StagedFile(spark, version) for version in file_versions(manifest)]
    withdraw(spark, files)
    for feed in FEEDS:
        runtime.remove_leftovers(spark, f"standardized.{feed}")
        write_valid([file for file in files if file.version.feed == feed], feed)
    write_quarantined(spark, files)
    runtime.write_result({"files": [file.counts(spark) for file in files]})


class StagedFile:
    """One file version: its header, and its lines judged."""

    def __init__(self, spark, version):
        self.version = version
        self.observed = Observation()
        delivered = lines.open_file(spark, version.path)
        if delivered.header is None:
            self.header, self.rows = Header({}, 0, {}, ["empty_file"]), None
            return
        self.header = read_header(delivered.header, version.feed)
        self.rows = self.judged(delivered.lines).observe(
            self.observed, F.count("*").alias("read"), F.count_if(F.size("reasons") > 0).alias("quarantined")
        )

    def judged(self, data_lines):
        """Rows with `reasons`; of a file whose columns cannot be matched every row gets the file's reasons."""
        if self.header.problems:
            reasons = F.array(*(F.lit(problem) for problem in self.header.problems))
            rows = data_lines.select("_line_no", F.make_valid_utf8("raw").alias("raw_line"), reasons.alias("reasons"))
        else:
            rows = feeds.checked(lines.with_fields(data_lines, self.header.width), self.header, self.version.feed)
        return rows.select(
            "*",
            F.lit(self.version.load_seq).cast("bigint").alias("_load_seq"),
            F.lit(self.version.batch).alias("_batch"),
            F.lit(self.version.feed).alias("feed"),
            F.lit(self.version.file_id).alias("_file_id"),
            F.lit(self.version.file_id).alias("file_id"),
        )

    def counts(self, spark):
        """What the result says about this file; called when everything is written."""
        read, quarantined, reasons = 0, 0, {}
        if self.rows is not None:
            metrics = self.observed.get
            read, quarantined = metrics["read"], metrics["quarantined"]
        if quarantined:
            reasons = reason_counts(spark, self.version.file_id)
        return {
            "fileId": int(self.version.file_id),
            "feed": self.version.feed,
            "read": read,
            "valid": read - quarantined,
            "quarantined": quarantined,
            "reasons": reasons,
            "fileReasons": self.header.problems,
            "drift": self.header.drift,
        }


def withdraw(spark, files):
    """Drops what the versions that these replace have loaded, and what an earlier try of these quarantined."""
    # A version that is refused whole replaces nothing: its predecessor stays.
    replaced = [(file.version.feed, file_id) for file in files if not file.header.problems for file_id in file.version.supersedes]
    for feed, file_id in replaced:
        runtime.drop_partition(spark, f"standardized.{feed}", file_id=file_id)
    stale = {file_id for _, file_id in replaced} | {file.version.file_id for file in files}
    for partition in runtime.partitions(spark, QUARANTINE):
        if partition["stage"] == STAGE and partition["file_id"] in stale:
            runtime.drop_partition(spark, QUARANTINE, **partition)


def write_valid(files, feed):
    """One write a feed; counts are observed on the way."""
    readable = [file.rows for file in files if file.rows is not None and not file.header.problems]
    if readable:
        runtime.overwrite(union(readable).where(F.size("reasons") == 0), f"standardized.{feed}")


def write_quarantined(spark, files):
    """Files that were read and had no bad row are not read again."""
    bad = []
    for file in files:
        if file.rows is not None and (file.header.problems or file.observed.get["quarantined"]):
            columns = ("file_id", "_file_id", "feed", "_batch", "_load_seq", "_line_no", "raw_line", "reasons")
            bad.append(file.rows.where(F.size("reasons") > 0).select(*columns).withColumn("stage", F.lit(STAGE)))
    if bad:
        runtime.overwrite(union(bad), QUARANTINE)


def reason_counts(spark, file_id):
    """Quarantined rows of a file by reason; a row with two reasons counts under both."""
    rows = spark.table(QUARANTINE).where((F.col("file_id") == file_id) & (F.col("stage") == STAGE))
    return dict(rows.select(F.explode("reasons").alias("reason")).groupBy("reason").count().collect())


def union(frames):
    """All rows of frames with the same columns."""
    whole = frames[0]
    for frame in frames[1:]:
        whole = whole.unionByName(frame)
    return whole


if __name__ == "__main__":
    main()
