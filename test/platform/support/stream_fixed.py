"""Replays dead letters through a parser that takes events of any year: the fix of a bug, as far as a test is concerned."""

import os
import sys

JOBS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../jobs")
sys.path.insert(0, JOBS)


def main():
    from qcompany.stream import events

    events.REASON = events.REASON.replace(f"between {events.FIRST_YEAR} and {events.LAST_YEAR}", "between 1 and 9999")
    import stream_replay

    try:
        stream_replay.main()
    finally:
        for name in [name for name in sys.modules if name == "stream_replay" or name.startswith("qcompany")]:
            del sys.modules[name]
        sys.path.remove(JOBS)


if __name__ == "__main__":
    main()
