"""Where files of a batch go: staged below a folder, then renamed into partitions of Hive tables."""

import time
from urllib.parse import unquote

from pyspark.sql import functions as F
from qcompany import runtime

# Shorter than the minute that docs/stream.md grants between looking a location up and the rename.
LOCATION_SECONDS = 20


EVENTS = "standardized.app_events"
DEAD_LETTERS = "standardized.dead_letters"
REPLAYED = "standardized.dead_letters_replayed"


def targets(spark):
    """The tables of the stream."""
    by_arrival = ["arrival_date"]
    return [Target(spark, EVENTS, ["event_date", "event_hour"]), Target(spark, DEAD_LETTERS, by_arrival), Target(spark, REPLAYED, by_arrival)]


def prepare_to_write(spark, timezone):
    """Settings of a session that writes events: days and hours are those of `timezone`."""
    spark.conf.set("spark.sql.session.timeZone", timezone)
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    # An hour is one file: nothing is to be split or joined on the way.
    spark.conf.set("spark.sql.adaptive.enabled", "false")


class Target:
    """A table, and the partition columns in the order of its folders."""

    def __init__(self, spark, table, partitioned_by):
        self.table = table
        self.partitioned_by = partitioned_by
        self._spark = spark
        self._columns = spark.table(table).columns
        self._locations = {}
        self._catalog = spark._jsparkSession.sharedState().externalCatalog()

    def stage(self, rows, folder):
        """Writes rows below `folder`: one file a partition."""
        tasks = self._spark.sparkContext.defaultParallelism
        placed = rows.select(*self._columns).repartition(tasks, *self.partitioned_by)
        ordered = placed.sortWithinPartitions(*self.partitioned_by, "topic", "partition", "offset")
        ordered.write.partitionBy(*self.partitioned_by).parquet(folder)

    def locations(self, folders):
        """Folder of a partition (`a=1/b=2`) → where the metastore has it; registers those that it does not know."""
        now = time.monotonic()
        self._locations = {folder: known for folder, known in self._locations.items() if now - known[1] < LOCATION_SECONDS}
        if any(folder not in self._locations for folder in folders):
            absent = set(folders) - self._look_up(folders).keys()
            if absent:
                clauses = " ".join(f"partition ({specification(folder)})" for folder in sorted(absent))
                self._spark.sql(f"alter table {self.table} add if not exists {clauses}")
            for folder, location in self._look_up(folders).items():
                self._locations[folder] = (location, now)
        return {folder: self._locations[folder][0] for folder in folders}

    def _look_up(self, folders):
        """The registered partitions among `folders`, asked for by the value of the first column."""
        database, name = self.table.split(".")
        jvm = self._spark._jvm
        found = {}
        for first in sorted({folder.split("/")[0] for folder in folders}):
            column, value = first.split("=", 1)
            spec = jvm.scala.Some(jvm.PythonUtils.toScalaMap({column: unquote(value)}))
            partitions = self._catalog.listPartitions(database, name, spec)
            for at in range(partitions.size()):
                partition = partitions.apply(at)
                values = partition.spec()
                folder = "/".join(f"{column}={values.apply(column)}" for column in self.partitioned_by)
                found[folder] = jvm.org.apache.hadoop.fs.Path(partition.location()).toString()
        return {folder: found[folder] for folder in folders if folder in found}


def specification(folder):
    """`a=1/b=2` as the inside of a PARTITION clause."""
    pairs = (part.split("=", 1) for part in folder.split("/"))
    return ", ".join(f"`{column}` = {runtime.quoted(unquote(value))}" for column, value in pairs)


class Publisher:
    """Stages the rows of a batch and carries its ledger entry out."""

    def __init__(self, files, root, targets, attempt):
        self._files = files
        self._staging = f"{root}/staging"
        self._targets = {target.table: target for target in targets}
        self._attempt = attempt

    def sweep(self, prefix, last):
        """Removes what was staged for entries up to the last one. An attempt that is not gone may still commit a later one, never these."""
        for name in self._files.names(self._staging):
            if name.startswith(prefix) and name[: len(last)] <= last:
                self._files.remove(f"{self._staging}/{name}")

    def stage(self, name, rows_by_table):
        """Writes rows of each table for the entry `name`. Returns the moves: [table, folder of the partition, from, file name]."""
        moves = []
        for table, rows in rows_by_table.items():
            folder = f"{self._staging}/{name}-{self._attempt}/{table}"
            self._targets[table].stage(rows, folder)
            for number, path in enumerate(self._files.parquet_below(folder)):
                partition = path.rpartition("/")[0]
                moves.append([table, partition, f"{name}-{self._attempt}/{table}/{path}", f"part-{name}-{number:05d}.parquet"])
        return moves

    def carry_out(self, entry):
        """Makes what an entry says so; whatever of it was done before is left as it is."""
        left = [move for move in entry["moves"] if self._files.exists(f"{self._staging}/{move[2]}")]
        for table, target in self._targets.items():
            moves = [move for move in left if move[0] == table]
            locations = target.locations([move[1] for move in moves]) if moves else {}
            for location in set(locations.values()):
                self._files.make_folder(location)
            for _, partition, source, name in moves:
                self._files.move(f"{self._staging}/{source}", f"{locations[partition]}/{name}")
        # Also what other attempts have staged for it: the name is taken.
        for name in self._files.names(self._staging):
            if name.startswith(f"{entry['name']}-"):
                self._files.remove(f"{self._staging}/{name}")


def with_origin(rows, generation, batch):
    """Adds the columns that tell which batch brought a row."""
    return rows.withColumns({"generation": F.lit(generation), "batch": F.lit(batch).cast("bigint")})


def partitions_of(entry, table):
    """The partitions of a table (`2026-11-22/10`) that an entry brings rows for."""
    folders = {move[1] for move in entry["moves"] if move[0] == table}
    return sorted("/".join(part.split("=")[1] for part in folder.split("/")) for folder in folders)
