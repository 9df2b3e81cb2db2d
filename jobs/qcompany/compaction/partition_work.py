"""The compaction of one partition: a folder of marks and files, and steps that can be killed anywhere and carried on.

    <lake>/compaction/<table>/<id>/plan.json        which files are replaced
                                   data-<try>/      the new files
                                   verified.json    rows and checksum of both are equal; which try holds
                                   switched.json    the partition was pointed at the new files
                                   settling/N.json  names of new files that are put into the partition's own folder
                                   copy/, old/      on their way into it, and out of it
                                   returned.json    the partition was pointed at its own folder again
                                   reported.json    the report has it
"""

import contextlib
import time
import uuid

from . import content


class Abandoned(Exception):
    """The partition changed under the compaction before readers were switched: nothing has happened."""


class PartitionWork:
    """One compaction. `at` is called with the name of every step once it is done."""

    def __init__(self, lake, folder, plan, at):
        self.partition = plan["partition"]
        self._plan = plan
        self._spark, self._files, self._partitions, self._options = lake
        self._folder = folder
        self._home = self._partitions.home(self.partition)
        self._at = at

    @staticmethod
    def begin(lake, folder, plan, at):
        """Writes the plan, which begins a compaction."""
        lake.files.make_folder(folder)
        work = PartitionWork(lake, folder, plan, at)
        work._mark("plan", plan)
        at("planned")
        return work

    def advance(self):
        """Does all that can be done by now. Returns what is so then: `abandoned`, `switched`, `settled` or `finished`."""
        if not self.has("switched"):
            try:
                self._switch()
            except Abandoned:
                self._remove()
                return "abandoned"
        if not self.has("returned") and self._is_ours():
            if not self._old_enough("switched"):
                return "switched"
            self._settle()
        self._gather()
        if not self.has("reported") or not self._old_enough("returned"):
            return "settled"
        self._remove()
        return "finished"

    def give_up(self):
        """After a failure: forgets a compaction that readers do not know of; any other is carried on by the next run."""
        with contextlib.suppress(Exception):
            if not self.has("switched") and not self._is_pointed():
                self._remove()

    def has(self, mark):
        return self._files.exists(f"{self._folder}/{mark}.json")

    def report(self):
        """What the report says about this compaction."""
        return {**self._plan, **self._read("verified"), **self._read("switched"), "id": self._folder.rpartition("/")[2]}

    def mark_reported(self):
        self._mark("reported", {})

    # up to the switch

    def _switch(self):
        if not self._is_pointed():
            if not self._partitions.same(self._partitions.location(self.partition), self._home):
                raise Abandoned()
            self._assert_unchanged()
            if not self.has("verified"):
                self._write()
            self._assert_unchanged()
            # What came meanwhile is there for those who are switched, too.
            self._follow(set(self._plan["files"]))
            self._at("followed")
            self._partitions.point(self.partition, self._data())
            self._at("pointed")
        self._mark("switched", {"switchedAt": time.time()})
        self._at("switched")

    def _is_pointed(self):
        return self.has("verified") and self._partitions.same(self._partitions.location(self.partition), self._data())

    def _assert_unchanged(self):
        found = self._files.facts(self._home)
        for name, facts in self._plan["files"].items():
            if name not in found or list(found[name]) != list(facts):
                raise Abandoned()

    def _write(self):
        attempt = f"data-{uuid.uuid4().hex[:8]}"
        folder = f"{self._folder}/{attempt}"
        rows = content.read(self._spark, [f"{self._home}/{name}" for name in self._plan["files"]])
        before = content.rewrite(rows, folder, self._plan["wanted"])
        self._at("written")
        found = content.measured(self._spark.read.schema(rows.schema).parquet(folder))
        if found != before:
            raise RuntimeError(f"the new files hold {found}, the old ones {before}")
        after = self._files.facts(folder)
        size = sum(facts.bytes for facts in after.values())
        verified = {"data": attempt, "rows": found.rows, "checksum": f"{found.total}:{found.parity}"}
        self._mark("verified", {**verified, "filesAfter": len(after), "bytesAfter": size})
        self._at("verified")

    # from the switch until the partition is at home again

    def _is_ours(self):
        """Whether the partition still is where it was switched to. If not, somebody else has decided where its rows are, and that holds."""
        location = self._partitions.location(self.partition)
        planned, settling = set(self._plan["files"]), self._files.names(f"{self._folder}/settling")
        if self._partitions.same(location, self._data()):
            if settling or planned <= self._files.facts(self._home).keys():
                self._follow(planned | self._noted())
                return True
            # A writer that had looked before the switch has replaced the old files: it is the later one.
            self._partitions.point(self.partition, self._home)
        if location is None:
            # Dropped, and with it what it was pointed at.
            self._move_out(planned | self._noted())
        # Where it was killed right after it was pointed home: what was not noted has come since.
        self._mark_returned(self._noted() if settling else self._files.facts(self._data()).keys())
        return False

    def _settle(self):
        """Makes the partition's own folder hold what readers see, then points the partition at it."""
        while True:
            data, home = self._files.facts(self._data()), self._files.facts(self._home)
            arriving = sorted(data.keys() - home.keys())
            leaving = (set(self._plan["files"]) | self._noted()) - data.keys()
            if not arriving and not leaving & home.keys():
                break
            for name in arriving:
                self._files.copy(f"{self._data()}/{name}", f"{self._folder}/draft", f"{self._folder}/copy/{name}")
            self._at("copied")
            self._note(arriving)
            self._at("settling")
            # Listings of the folder lack rows from here until the copies are in it; they never have a row twice.
            self._move_out(leaving)
            self._at("emptied")
            for name in arriving:
                self._files.rename(f"{self._folder}/copy/{name}", f"{self._home}/{name}")
                self._at("filled")
        self._note(sorted(data))
        self._partitions.point(self.partition, self._home)
        self._at("pointed home")
        self._mark_returned(data)
        self._at("returned")

    def _mark_returned(self, names):
        self._mark("returned", {"returnedAt": time.time(), "names": sorted(names)})

    def _gather(self):
        """Moves home what a writer that had looked before has put into the new files' folder since."""
        known = set(self._read("returned")["names"])
        for name in self._files.facts(self._data()).keys() - known:
            self._files.rename(f"{self._data()}/{name}", f"{self._home}/{name}")
        self._at("gathered")

    # pieces of steps

    def _data(self):
        return f"{self._folder}/{self._read('verified')['data']}"

    def _noted(self):
        """Names of all new files that were put into the partition's own folder, or were about to be."""
        folder = f"{self._folder}/settling"
        return {name for mark in self._files.names(folder) for name in self._files.read_json(f"{folder}/{mark}")}

    def _note(self, names):
        folder = f"{self._folder}/settling"
        self._files.make_folder(folder)
        self._mark(f"settling/{len(self._files.names(folder)):06d}", names)

    def _follow(self, known):
        """Copies files that came to the partition's own folder since into the new one; they stay in both until that goes."""
        there = self._files.facts(self._data())
        for name in self._files.facts(self._home).keys() - known - there.keys():
            self._files.copy(f"{self._home}/{name}", f"{self._folder}/draft", f"{self._data()}/{name}")

    def _move_out(self, names):
        for name in sorted(names & self._files.facts(self._home).keys()):
            self._files.rename(f"{self._home}/{name}", f"{self._folder}/old/{name}")
            self._at("moved out")

    def _old_enough(self, mark):
        return time.time() - self._read(mark)[f"{mark}At"] >= self._options["graceMinutes"] * 60

    def _mark(self, name, value):
        self._files.mark(f"{self._folder}/{name}.json", f"{self._folder}/draft.json", value)

    def _read(self, name):
        return self._files.read_json(f"{self._folder}/{name}.json")

    def _remove(self):
        # The plan goes last: without it nobody would know what the rest is.
        for name in self._files.names(self._folder):
            if name != "plan.json":
                self._files.remove(f"{self._folder}/{name}")
                self._at("removing")
        self._files.remove(self._folder)
