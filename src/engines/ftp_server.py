"""Serves one folder read-only over FTP on 127.0.0.1: `ftp_server.py SETTINGS`.

SETTINGS is a JSON file {"root", "port", "user", "password"}: a file, because arguments can be read by every
user of the machine.
"""

import json
import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer

# Change directory, list, retrieve.
READ_ONLY = "elr"


def main(settings_file):
    with open(settings_file, encoding="utf-8") as file:
        settings = json.load(file)
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
    )
    authorizer = DummyAuthorizer()
    authorizer.add_user(
        settings["user"], settings["password"], settings["root"], perm=READ_ONLY
    )

    class Handler(FTPHandler):
        """Answers with UTC times (MLSD, MDTM) and tells nobody what it is."""

        banner = "ready"
        use_gmt_times = True

    Handler.authorizer = authorizer
    server = FTPServer(("127.0.0.1", settings["port"]), Handler)
    server.max_cons = 128
    server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
