"""What became of the rows of each file of a run, put together from two jobs' results and counted again in the tables."""

from pyspark.sql import functions as F

from .resolve import QUARANTINE
from .sales import FACT

REFERENCE_KEYS = {"branches": "branch_id", "sales_agents": "sales_person_id"}


def of_files(spark, versions, standardized, conformed):
    """One entry a file, as the manifest wants it. `read` is what standardize counted; the rest is counted in the tables."""
    read = {str(file["fileId"]): file for file in standardized["files"]}
    resolved = {str(file["fileId"]): file for file in conformed["files"]}
    file_ids = [version.file_id for version in versions]
    quarantined = rows_by_file(spark.table(QUARANTINE), file_ids)
    loaded = rows_by_file(spark.table(FACT), file_ids)
    entries = []
    for version in versions:
        file, outcome = read[version.file_id], resolved.get(version.file_id, {})
        if version.feed in REFERENCE_KEYS:
            numbers = reference_counts(spark, version)
        else:
            numbers = {
                "loaded": loaded.get(version.file_id, 0),
                "duplicate": outcome.get("duplicate", 0),
                "conflict": outcome.get("conflict", 0),
            }
        reasons = {**file["reasons"], **outcome.get("reasons", {})}
        entries.append(
            {
                "fileId": file["fileId"],
                "read": file["read"],
                **numbers,
                "quarantined": quarantined.get(version.file_id, 0),
                "reasons": reasons,
                "rejected": ", ".join(file["fileReasons"]) or None,
            }
        )
    return entries


def rows_by_file(table, file_ids):
    """File → rows."""
    return dict(table.where(F.col("_file_id").isin(file_ids)).groupBy("_file_id").count().collect())


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
