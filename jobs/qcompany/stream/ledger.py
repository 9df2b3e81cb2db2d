"""The ledger of a stream: one entry a batch, each created once and whole. An entry commits its batch."""

import json

ENTRY = "g{generation:04d}-b{batch:012d}"


class Fenced(SystemExit):
    """A later attempt has started: this one may not publish any more."""

    def __init__(self, own, seen):
        super().__init__(f"STREAM_FENCED: an attempt with fencing token {seen} has started; this one has {own}. Nothing is to be done.")


class Ledger:
    """Entries below `<root>/ledger`. `attempt` names this process in drafts, so that no two write the same one."""

    def __init__(self, files, root, attempt, token):
        self._files = files
        self._folder = f"{root}/ledger"
        self._drafts = f"{root}/staging"
        self._fence = f"{root}/fence"
        self._attempt = attempt
        self._token = token
        files.make_folder(self._folder)
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
        names = [name for name in self._files.names(self._folder) if name.startswith(prefix) and name.endswith(".json")]
        return self.entry(names[-1].removesuffix(".json")) if names else None

    def commit(self, name, entry):
        """Creates an entry and returns the one that holds: this, or the one that an earlier attempt has created."""
        self.check()
        mine = {**entry, "name": name, "attempt": self._attempt}
        text = json.dumps(mine, separators=(",", ":")) + "\n"
        draft = f"{self._drafts}/{name}-{self._attempt}.json"
        self._files.create_whole(f"{self._folder}/{name}.json", draft, text)
        # Read back, because the answer to a rename that succeeded can get lost with the NameNode.
        return self.entry(name)
