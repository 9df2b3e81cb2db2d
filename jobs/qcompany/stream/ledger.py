"""The ledger of a stream: one entry a batch, each created once and whole. An entry commits its batch."""

import json

ENTRY = "g{generation:04d}-b{batch:012d}"
# So many of the newest entries stay files of their own; beyond that, so many of the oldest become one.
KEPT, ROLLED = 1000, 500


class Fenced(SystemExit):
    """A later attempt has started: this one may not publish any more."""

    def __init__(self, own, seen):
        super().__init__(f"STREAM_FENCED: an attempt with fencing token {seen} has started; this one has {own}. Nothing is to be done.")


class Ledger:
    """Entries below `<root>/ledger`. `attempt` names this process in drafts, so that no two write the same one."""

    def __init__(self, files, root, attempt, token):
        self._files = files
        self._folder = f"{root}/ledger"
        self._history = f"{root}/history"
        self._drafts = f"{root}/staging"
        self._fence = f"{root}/fence"
        self._attempt = attempt
        self._token = token
        files.make_folder(self._folder)
        files.make_folder(self._history)
        files.make_folder(self._drafts)

    def take_over(self):
        """Makes every attempt with a smaller token unable to commit. Raises Fenced when there is a greater one."""
        self.check()
        if self._token is not None:
            self._files.write(self._fence, str(self._token))

    def check(self):
        """Raises Fenced when an attempt with a greater token has started."""
        seen = self._files.read(self._fence)
        if self._token is not None and seen and int(seen) > self._token:
            raise Fenced(self._token, int(seen))

    def entry(self, name):
        """The entry of this name, or None."""
        text = self._files.read(f"{self._folder}/{name}.json")
        return None if text is None else json.loads(text)

    def last(self, prefix):
        """The last entry whose name begins with `prefix`, or None."""
        names = self._names(prefix)
        return self.entry(names[-1]) if names else None

    def _names(self, prefix):
        names = self._files.names(self._folder)
        return [name.removesuffix(".json") for name in names if name.startswith(prefix) and name.endswith(".json")]

    def roll_up(self, prefix):
        """Joins the oldest entries, when there are many, in one file of `history`, without their moves: those were carried out long ago.

        Entries are removed when they are in it. What a kill has left of them goes the next time.
        """
        self.check()
        rolled = self._last_rolled(prefix)
        names = self._names(prefix)
        for name in [name for name in names if name <= rolled]:
            self._files.remove(f"{self._folder}/{name}.json")
        left = [name for name in names if name > rolled]
        if len(left) < KEPT + ROLLED:
            return
        oldest = left[:ROLLED]
        entries = [{field: value for field, value in self.entry(name).items() if field != "moves"} for name in oldest]
        text = "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in entries)
        if self._files.create_whole(f"{self._history}/{oldest[0]}.json", f"{self._drafts}/{oldest[0]}-{self._attempt}.history", text):
            for name in oldest:
                self._files.remove(f"{self._folder}/{name}.json")

    def _last_rolled(self, prefix):
        """Name of the last entry in `history`; empty when there is none."""
        names = [name for name in self._files.names(self._history) if name.startswith(prefix)]
        if not names:
            return ""
        return json.loads(self._files.read(f"{self._history}/{names[-1]}").splitlines()[-1])["name"]

    def commit(self, name, entry):
        """Creates an entry and returns the one that holds: this, or the one that an earlier attempt has created."""
        self.check()
        mine = {**entry, "name": name, "attempt": self._attempt}
        text = json.dumps(mine, separators=(",", ":")) + "\n"
        draft = f"{self._drafts}/{name}-{self._attempt}.json"
        self._files.create_whole(f"{self._folder}/{name}.json", draft, text)
        # Read back, because the answer to a rename that succeeded can get lost with the NameNode.
        return self.entry(name)
