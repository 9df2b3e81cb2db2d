/** The ledger of the stream's sink on files in memory, without Spark. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import test from "ava";

const JOBS = join(import.meta.dirname, "../../jobs");

/** Files of a lake as far as the ledger knows them; `dies_after` = so many changes, and then nothing works any more. */
const FILES = `
import json, sys, types
sys.modules["pyspark"] = types.ModuleType("pyspark")
from qcompany.stream import ledger as module
from qcompany.stream.ledger import ENTRY, Fenced, Ledger

class Killed(BaseException):
    pass

class Files:
    def __init__(self):
        self.content, self.dies_after = {}, None
    def _change(self):
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                raise Killed
    def names(self, folder):
        return sorted(path[len(folder) + 1:] for path in self.content if path.startswith(folder + "/"))
    def read(self, path):
        return self.content.get(path)
    def write(self, path, text):
        self._change()
        self.content[path] = text
    def make_folder(self, path):
        pass
    def remove(self, path):
        self._change()
        self.content.pop(path, None)
    def create_whole(self, path, draft, text):
        if path in self.content:
            return False
        self._change()
        self.content[path] = text
        return True

module.KEPT, module.ROLLED = 10, 5

def fill(files, count, token=None):
    ledger = Ledger(files, "/root", "a", token)
    for batch in range(count):
        ledger.commit(ENTRY.format(generation=1, batch=batch), {"batch": batch, "read": 7, "moves": [["t", "p", "f", "n"]]})
    return ledger

def told(files):
    """Batches by ledger and history."""
    history = [json.loads(line) for name in files.names("/root/history") for line in files.content["/root/history/" + name].splitlines()]
    assert all("moves" not in entry for entry in history)
    kept = [json.loads(files.content["/root/ledger/" + name]) for name in files.names("/root/ledger")]
    return [entry["batch"] for entry in kept], [entry["batch"] for entry in history]
`;

async function python(script: string): Promise<void> {
  const env = { PATH: process.env.PATH, PYTHONPATH: JOBS, PYTHONDONTWRITEBYTECODE: "1" };
  await promisify(execFile)("python3", ["-c", FILES + script], { env });
}

test("old entries are joined, the newest stay, and every batch is told once", async (t) => {
  await python(`
files = Files()
ledger = fill(files, 14)
ledger.roll_up("g")
assert told(files) == (list(range(14)), []), told(files)
ledger = fill(files, 31)
while len(files.names("/root/ledger")) >= 15:
    ledger.roll_up("g")
kept, history = told(files)
assert history == list(range(20)) and kept == list(range(20, 31)), (kept, history)
assert ledger.last("g")["batch"] == 30`);
  t.pass();
});

test("killed at any point, nothing is lost, and the next time nothing is told twice", async (t) => {
  await python(`
for point in range(12):
    files = Files()
    ledger = fill(files, 20)
    files.dies_after = point
    try:
        ledger.roll_up("g")
    except Killed:
        pass
    files.dies_after = None
    kept, history = told(files)
    assert set(kept) | set(history) == set(range(20)), point
    for _ in range(3):
        ledger.roll_up("g")
    kept, history = told(files)
    assert sorted(kept + history) == list(range(20)), (point, kept, history)`);
  t.pass();
});

test("an attempt that is fenced removes nothing", async (t) => {
  await python(`
files = Files()
old = fill(files, 20, token=1)
Ledger(files, "/root", "b", 2).take_over()
before = dict(files.content)
try:
    old.roll_up("g")
    raise AssertionError("it went on")
except Fenced:
    pass
assert files.content == before`);
  t.pass();
});
