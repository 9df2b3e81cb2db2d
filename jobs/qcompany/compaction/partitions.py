"""Partitions of a table and where the metastore says that they are."""

from pyspark.errors import AnalysisException
from qcompany import runtime
from qcompany.stream.tables import specification


class Partitions:
    """The partitions of one table. A partition is named as its folder is: `event_date=2026-11-23/event_hour=05`."""

    def __init__(self, spark, table):
        self.table = table
        self._spark = spark
        self._jvm = spark._jvm
        self._catalog = spark._jsparkSession.sharedState().externalCatalog()
        self._database, self._name = table.split(".")
        _, root = runtime.location(spark, table)
        self._root = root.toString()

    def names(self):
        """All partitions, the latest first."""
        return sorted((row[0] for row in self._spark.sql(f"show partitions {self.table}").collect()), reverse=True)

    def home(self, partition):
        """The folder that a partition has unless it is told otherwise: what a plain listing of the table shows."""
        return f"{self._root}/{partition}"

    def location(self, partition):
        """Where the metastore has a partition; None when it has no such partition."""
        try:
            found = self._catalog.getPartition(self._database, self._name, self._values(partition))
        except AnalysisException as error:
            if error.getCondition() == "PARTITIONS_NOT_FOUND":
                return None
            raise
        return self._plain(found.location())

    def point(self, partition, folder):
        """Points a partition at another folder: one change in the metastore, seen by every query that is planned afterwards."""
        where = runtime.quoted(folder)
        self._spark.sql(f"alter table {self.table} partition ({specification(partition)}) set location {where}")

    def same(self, one, other):
        """Whether two folders are one, however they are written."""
        return one is not None and self._plain(one) == self._plain(other)

    def _plain(self, folder):
        # `file:/x`, `file:///x` and `/x` are one folder.
        path = self._jvm.org.apache.hadoop.fs.Path(folder)
        return path.getFileSystem(self._spark._jsc.hadoopConfiguration()).makeQualified(path).toString()

    def _values(self, partition):
        unescape = self._jvm.org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils.unescapePathName
        pairs = (part.split("=", 1) for part in partition.split("/"))
        return self._jvm.PythonUtils.toScalaMap({name: unescape(value) for name, value in pairs})
