"""Folders of the lake for the sink: the same few steps on a local folder and on HDFS."""

import os
import re
from urllib.parse import unquote, urlparse

from py4j.protocol import Py4JJavaError


# How a file system says that nothing more goes into it.
NO_ROOM = re.compile(r"The (?:DiskSpace|NameSpace) quota[^\n]*|No space left on device|Disk quota exceeded")


def no_room(error):
    """What an error says of a file system that is full; None when it says no such thing."""
    found = NO_ROOM.search(str(error))
    return found and found.group(0).rstrip(". ")


class Files:
    """Files of the file system on which `root` lies. Paths are whole URIs or paths of that file system."""

    def __init__(self, spark, root):
        self._jvm = spark._jvm
        self._fs = self._path(root).getFileSystem(spark._jsc.hadoopConfiguration())
        # Files are renamed one by one; a checksum file beside each would have to follow it.
        self._fs.setWriteChecksum(False)
        self._local = self._fs.getScheme() == "file"

    def _path(self, path):
        return self._jvm.org.apache.hadoop.fs.Path(path)

    def exists(self, path):
        return self._fs.exists(self._path(path))

    def make_folder(self, path):
        self._fs.mkdirs(self._path(path))

    def remove(self, path):
        self._fs.delete(self._path(path), True)

    def names(self, folder):
        """Names in a folder, sorted; none when there is no such folder."""
        path = self._path(folder)
        if not self._fs.exists(path):
            return []
        return sorted(status.getPath().getName() for status in self._fs.listStatus(path))

    def parquet_below(self, folder):
        """Paths of the Parquet files below a folder, relative to it, sorted."""
        path = self._path(folder)
        if not self._fs.exists(path):
            return []
        base = self._fs.makeQualified(path).toUri().getPath()
        found, left = [], self._fs.listFiles(path, True)
        while left.hasNext():
            name = left.next().getPath().toUri().getPath()
            if name.endswith(".parquet"):
                found.append(name[len(base) :].lstrip("/"))
        return sorted(found)

    def read(self, path):
        """Content of a small text file, or None when there is none."""
        if not self.exists(path):
            return None
        stream = self._fs.open(self._path(path))
        try:
            return self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()

    def write(self, path, text):
        """Writes a small text file, replacing what is there."""
        stream = self._fs.create(self._path(path), True)
        try:
            stream.write(text.encode())
            stream.hsync()
        finally:
            stream.close()

    def create_whole(self, path, draft, text):
        """Writes `text` at `path` by way of `draft`: all of it or nothing, and false when something is there already."""
        self.write(draft, text)
        try:
            if self._local:
                os.link(local(draft), local(path))
                self.remove(draft)
            elif not self._fs.rename(self._path(draft), self._path(path)):
                # HDFS never renames onto a file.
                return False
        except FileExistsError:
            return False
        return True

    def move(self, source, target):
        """Renames a file into place. One that is not there any more has been moved before; nothing is ever overwritten."""
        try:
            if self.exists(target) and self.exists(source):
                raise SystemExit(
                    f"STREAM_STATE_LOST: {target} is there already and is of another batch. The ledger of this table was removed: "
                    "bring it back, or give the stream an empty table."
                )
            if self._fs.exists(self._path(source)) and not self._fs.rename(self._path(source), self._path(target)):
                raise_unless_gone(self, source, target)
        except Py4JJavaError as error:
            if "FileNotFoundException" not in str(error.java_exception):
                raise
            raise_unless_gone(self, source, target)


def raise_unless_gone(files, source, target):
    if files.exists(source):
        raise OSError(f"{source} cannot be renamed to {target}")


def local(path):
    """Path of a `file:` URI."""
    return unquote(urlparse(path).path) if path.startswith("file:") else path
