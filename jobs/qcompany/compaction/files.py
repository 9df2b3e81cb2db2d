"""Folders of the lake for compaction: what the stream's sink needs of them, and sizes, copies and strict renames."""

import json
from collections import namedtuple

from qcompany.stream.files import Files

# Length in bytes and time of the last change in milliseconds: together they tell a file from another of its name.
Facts = namedtuple("Facts", "bytes changed")


class LakeFiles(Files):
    """Files of the file system on which `root` lies."""

    def facts(self, folder):
        """Name → facts of the files of a folder that readers of tables see; none where there is no folder."""
        path = self._path(folder)
        if not self._fs.exists(path):
            return {}
        found = {}
        for status in self._fs.listStatus(path):
            name = status.getPath().getName()
            if status.isFile() and name[0] not in "._":
                found[name] = Facts(status.getLen(), status.getModificationTime())
        return found

    def count(self, folder):
        """How many files a folder and those below it have. Cheap: one call, whatever there is."""
        path = self._path(folder)
        return self._fs.getContentSummary(path).getFileCount() if self._fs.exists(path) else 0

    def copy(self, source, draft, target):
        """Copies a file: nothing of it is at `target` before all of it is. One that is there already stays."""
        if self.exists(target):
            return
        copy = self._jvm.org.apache.hadoop.fs.FileUtil.copy
        copy(self._fs, self._path(source), self._fs, self._path(draft), False, True, self._fs.getConf())
        self.rename(draft, target)

    def rename(self, source, target):
        """Gives a file another name; the folder is made. Does nothing where it was done before. Never replaces a file."""
        if self.exists(target):
            if self.exists(source):
                raise OSError(f"{target} is there already")
            return
        self.make_folder(target.rpartition("/")[0])
        if not self._fs.rename(self._path(source), self._path(target)) and not self.exists(target):
            raise OSError(f"{source} cannot be renamed to {target}")

    def read_json(self, path):
        """What a small file holds, or None when there is none."""
        text = self.read(path)
        return None if text is None else json.loads(text)

    def mark(self, path, draft, value):
        """Writes a small file by way of `draft`, whole or not at all; one that is there stays."""
        if not self.exists(path):
            self.create_whole(path, draft, json.dumps(value))
