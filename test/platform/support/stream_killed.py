"""Runs the sink and ends it dead at one step of its first batch: what is on disk then is what a kill leaves there.

    --kill staged|committed|moved|published|none, and the sink's own arguments. It ends by itself when everything is read.
"""

import json
import os
import sys

JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../jobs")
sys.path.insert(0, JOBS)


class Killed(Exception):
    """Nothing of the job may catch it, as nothing catches a kill. Spark hands no other exceptions on."""


def kill_at(step):
    """Makes the process end at a step by an exception that nothing catches."""
    from qcompany.stream.files import Files
    from qcompany.stream.ledger import Ledger
    from qcompany.stream.tables import Publisher

    def after(owner, name, wanted):
        original = getattr(owner, name)

        def wrapped(self, *args):
            result = original(self, *args)
            if step == wanted:
                raise Killed(step)
            return result

        setattr(owner, name, wrapped)

    after(Publisher, "stage", "staged")
    after(Ledger, "commit", "committed")
    after(Files, "move", "moved")
    after(Publisher, "carry_out", "published")


def main():
    at = sys.argv.index("--kill")
    step = sys.argv[at + 1]
    sys.argv = [sys.argv[0], *sys.argv[1:at], *sys.argv[at + 2 :], "--until-read"]
    kill_at(step)
    import stream_sink

    try:
        stream_sink.main()
    except BaseException as error:
        # Spark hands the exception on as text.
        print(json.dumps({"ended": "killed" if "Killed" in f"{type(error)}{error}" else str(error)[-2000:]}))
    finally:
        forget()


def forget():
    """The next run in this process starts from the files."""
    for name in [name for name in sys.modules if name == "stream_sink" or name.startswith("qcompany")]:
        del sys.modules[name]
    sys.path.remove(JOBS)


if __name__ == "__main__":
    main()
