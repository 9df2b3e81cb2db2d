"""What became of the rows of each file of a run, put together from the results of two jobs and from the tables."""

from pyspark.sql import functions as F

from .resolve import QUARANTINE

REFERENCE_KEYS = {"branches": "branch_id", "sales_agents": "sales_person_id"}


def of_files(spark, versions, standardized, conformed):
    """One entry a file, as the manifest wants it: what the two jobs counted, and what the quarantine really holds."""
    read = {file["fileId"]: file for file in standardized["files"]}
    resolved = {file["fileId"]: file for file in conformed["files"]}
    quarantined = quarantined_rows(spark, [version.file_id for version in versions])
    entries = []
    for version in versions:
        file, outcome = read[int(version.file_id)], resolved[int(version.file_id)]
        numbers = reference_counts(spark, version) if version.feed in REFERENCE_KEYS else outcome
        entries.append(
            {
                "fileId": file["fileId"],
                "read": file["read"],
                **{name: numbers[name] for name in ("loaded", "duplicate", "conflict")},
                "quarantined": quarantined.get(version.file_id, 0),
                "reasons": {**file["reasons"], **outcome["reasons"]},
                "rejected": ", ".join(file["fileReasons"]) or None,
            }
        )
    return entries


def quarantined_rows(spark, file_ids):
    """File → rows in quarantine, of both stages."""
    rows = spark.table(QUARANTINE).where(F.col("file_id").isin(file_ids))
    return dict(rows.groupBy("file_id").count().collect())


def reference_counts(spark, version):
    """A row of a reference file is a duplicate when an earlier one says the very same; it never conflicts, the latest counts."""
    key = REFERENCE_KEYS[version.feed]
    row = spark.sql(
        f"""
        select count_if(_file_id = :file and nth = 1) as loaded, count_if(_file_id = :file and nth > 1) as duplicate from (
          select _file_id, row_number() over (partition by {key}, _row_hash order by _load_seq, _line_no) as nth
          from standardized.{version.feed}
        )""",
        args={"file": version.file_id},
    ).collect()[0]
    return {"loaded": row["loaded"], "duplicate": row["duplicate"], "conflict": 0}
