"""A long-lived Spark driver that runs unmodified PySpark applications, one at a time, for the qflow process that started it.

It connects to its owner (QFLOW_SESSION_PORT on the loopback interface), proves itself with QFLOW_SESSION_SECRET, and then takes jobs:
one JSON object a line in each direction. When the connection closes it ends at once, JVM included, so that nothing an owner left
behind goes on writing.
"""

import atexit
import ctypes
import io
import json
import logging
import os
import queue
import runpy
import signal
import socket
import sys
import threading
import time
import traceback

from pyspark.context import SparkContext
from pyspark.sql import SparkSession

LISTENER_DRAIN_MS = 30_000
CANCEL_AGAIN_S = 0.2
JVM = os.getppid()


class Cancelled(BaseException):
    """Raised inside an application whose attempt was cancelled."""


class Owner:
    """The connection to the process that started this driver."""

    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", int(os.environ.pop("QFLOW_SESSION_PORT"))))
        self.secret = os.environ.pop("QFLOW_SESSION_SECRET")
        self.lock = threading.Lock()

    def send(self, kind, **fields):
        line = json.dumps({"type": kind, **fields}).encode() + b"\n"
        with self.lock:
            self.socket.sendall(line)

    def messages(self):
        with self.socket.makefile("rb") as lines:
            for line in lines:
                yield json.loads(line)


class Lines(io.RawIOBase):
    """A stream that sends whole lines to the owner."""

    def __init__(self, owner, stream):
        self.owner, self.stream, self.pending = owner, stream, b""

    def writable(self):
        return True

    def write(self, data):
        *lines, self.pending = (self.pending + bytes(data)).split(b"\n")
        for line in lines:
            self.emit(line)
        return len(data)

    def finish(self):
        if self.pending:
            self.emit(self.pending)
            self.pending = b""

    def emit(self, line):
        self.owner.send("line", stream=self.stream, text=line.decode("utf-8", "backslashreplace"))


class Lineage:
    """OpenLineage's own listener, registered for one job with that job's parent."""

    def __init__(self, sc, properties):
        self.sc, self.jvm = sc, sc._jvm
        conf = sc._jsc.sc().getConf().clone()
        for name, value in properties.items():
            conf.set(name, value)
        self.listener = self.jvm.io.openlineage.spark.agent.OpenLineageSparkListener(conf)
        self.none = none = getattr(self.jvm, "scala.None$").__getattr__("MODULE$")
        start = self.jvm.org.apache.spark.scheduler.SparkListenerApplicationStart(
            properties["spark.openlineage.appName"], self.jvm.scala.Some(sc.applicationId), millis(), "qflow", none, none, none
        )
        # The application started long ago; the listener has to hear of a start to begin a run of its own.
        self.listener.onApplicationStart(start)
        sc._jsc.sc().addSparkListener(self.listener)

    def close(self):
        """Returns when every event of the job has been sent."""
        context = self.sc._jsc.sc()
        try:
            context.listenerBus().waitUntilEmpty(LISTENER_DRAIN_MS)
        finally:
            # Whatever was late: the next job's events are not to be told as this one's.
            context.removeSparkListener(self.listener)
            self.listener.onApplicationEnd(self.jvm.org.apache.spark.scheduler.SparkListenerApplicationEnd(millis(), self.none))
            self.listener.close()


class Surroundings:
    """What an application may change in this process, put back when it has ended."""

    def __init__(self, spark, sc):
        self.spark, self.sc = spark, sc
        self.argv, self.path, self.environment = sys.argv, list(sys.path), dict(os.environ)
        self.streams = (sys.stdin, sys.stdout, sys.stderr)
        self.folder = os.getcwd()
        self.modules = set(sys.modules)
        self.logging = (list(logging.root.handlers), logging.root.level)
        self.properties = sc._jsc.sc().getLocalProperties().clone()
        self.exits = []
        self.register = atexit.register

    def enter(self, job, owner):
        application = job["application"]
        sys.argv = [application, *job["args"]]
        sys.path.insert(0, os.path.dirname(application))
        os.environ.update(job["env"])
        out, err = Lines(owner, "stdout"), Lines(owner, "stderr")
        sys.stdin = io.StringIO()
        sys.stdout, sys.stderr = text(out), text(err)
        atexit.register = self.at_exit
        session = self.spark.newSession()
        SparkSession._instantiatedSession = session
        self.activate(session)
        self.sc.setJobGroup(job["token"], job["name"], True)
        for name, value in job["conf"].items():
            if session.conf.isModifiable(name):
                session.conf.set(name, value)
            else:
                print(f"{name} cannot change in a warm session: ignored", file=sys.stderr)
        return out, err

    def at_exit(self, work, *args, **kwargs):
        self.exits.append((work, args, kwargs))
        return work

    def leave(self, out, err):
        try:
            for work, args, kwargs in reversed(self.exits):
                work(*args, **kwargs)
            for query in self.spark.streams.active:
                query.stop()
            self.spark.catalog.clearCache()
            self.spark._jsparkSession.sharedState().globalTempViewManager().clear()
            for rdd in list(self.sc._jsc.getPersistentRDDs().values()):
                rdd.unpersist()
        finally:
            for stream, lines in ((sys.stdout, out), (sys.stderr, err)):
                flush(stream)
                lines.finish()
            self.restore()

    def restore(self):
        atexit.register = self.register
        sys.stdin, sys.stdout, sys.stderr = self.streams
        sys.argv, sys.path[:] = self.argv, self.path
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        logging.root.handlers[:], logging.root.level = self.logging
        # An application's own modules may be other code the next time.
        for name in set(sys.modules) - self.modules:
            if not name.startswith(("pyspark.", "py4j.")) and is_own(sys.modules[name]):
                del sys.modules[name]
        self.sc._jsc.sc().setLocalProperties(self.properties)
        SparkSession._instantiatedSession = self.spark
        self.activate(self.spark)

    def activate(self, session):
        static = self.sc._jvm.org.apache.spark.sql.classic.SparkSession
        static.setActiveSession(session._jsparkSession)
        static.setDefaultSession(session._jsparkSession)


class Cancellation:
    """Interrupts an application, wherever it is, and nothing but an application: what is around it has to be put back in order."""

    def __init__(self, sc):
        self.sc, self.lock = sc, threading.Lock()
        self.main = threading.main_thread().ident
        self.running = self.cancelled = None

    def during(self, token, work):
        """Does the work of an application, and raises Cancelled where it is cancelled, or was before it began."""
        try:
            with self.lock:
                self.running = token
                if self.cancelled == token:
                    raise Cancelled
            work()
        finally:
            # Inline, and until it is done: what was raised a moment ago may arrive at any call.
            while self.running is not None:
                try:
                    with self.lock:
                        self.running = None
                    time.sleep(0)
                except Cancelled:
                    pass

    def cancel(self, token):
        """Called by another thread than the application's."""
        with self.lock:
            self.cancelled = token
            if self.running == token:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.main), ctypes.py_object(Cancelled))
        threading.Thread(target=self.cancel_jobs, args=(token,), daemon=True).start()

    def cancel_jobs(self, token):
        """Again and again: one may be on its way to Spark, and Python hears of nothing while it waits for Spark."""
        while True:
            with self.lock:
                if self.running != token:
                    return
                self.sc.cancelAllJobs()
            time.sleep(CANCEL_AGAIN_S)


def is_own(module):
    """Whether a module came with an application: it lies neither in the standard library nor among installed packages."""
    file = getattr(module, "__file__", None) or ""
    return bool(file) and "site-packages" not in file and not file.startswith((sys.prefix, sys.base_prefix))


def text(lines):
    return io.TextIOWrapper(io.BufferedWriter(lines), encoding="utf-8", errors="backslashreplace", line_buffering=True)


def flush(stream):
    try:
        stream.flush()
    except ValueError:
        pass  # The application closed it.


def millis():
    return int(time.time() * 1000)


def run(job, spark, sc, owner, cancellation):
    """Runs one application and says how it ended: exit code, and for an exception its last words."""
    surroundings = Surroundings(spark, sc)
    ended = {"exitCode": 0}
    out, err = surroundings.enter(job, owner)
    lineage = attempted(lambda: Lineage(sc, job["lineage"])) if job["lineage"] else None
    try:
        cancellation.during(job["token"], lambda: runpy.run_path(job["application"], run_name="__main__"))
    except SystemExit as ending:
        ended = exit_of(ending.code)
    except Cancelled:
        ended = {"exitCode": 143, "cancelled": True}
    except BaseException:
        print(own_traceback(), file=sys.stderr)
        ended = {"exitCode": 1}
    if lineage:
        attempted(lineage.close)
    surroundings.leave(out, err)
    return ended


def attempted(work):
    """Lineage that cannot be told must not fail the application; the owner notices that it is missing."""
    try:
        return work()
    except Exception:
        print(f"lineage: {traceback.format_exc()}", file=sys.stderr)
        return None


def exit_of(code):
    if code is None or isinstance(code, int):
        return {"exitCode": (code or 0) & 0xFF}
    print(code, file=sys.stderr)
    return {"exitCode": 1}


def own_traceback():
    """The traceback without the frames of this file and of runpy, as a plain run would print it."""
    kind, error, trace = sys.exc_info()
    while trace and trace.tb_frame.f_code.co_filename in (__file__, "<frozen runpy>"):
        trace = trace.tb_next
    return "".join(traceback.format_exception(kind, error, trace)).rstrip()


def end_at_once():
    """Ends the JVM, which is our parent, and ourselves; its shutdown hooks could go on writing, so it gets no chance to run them."""
    if os.getppid() == JVM:  # Otherwise it is gone, and the parent is somebody else.
        os.kill(JVM, signal.SIGKILL)
    os._exit(1)


def receive(owner, jobs, cancellation):
    """Takes jobs and cancellations until the owner is gone."""
    try:
        for message in owner.messages():
            if message["type"] == "run":
                jobs.put(message)
            elif message["type"] == "cancel":
                cancellation.cancel(message["token"])
    finally:
        end_at_once()


def main():
    owner = Owner()
    spark = SparkSession.builder.getOrCreate()
    sc = spark.sparkContext
    SparkSession.stop = lambda self: None
    SparkContext.stop = lambda self: None
    jobs, cancellation = queue.Queue(), Cancellation(sc)
    threading.Thread(target=receive, args=(owner, jobs, cancellation), daemon=True).start()
    # What every application needs first is loaded once, before the first of them asks.
    spark.sql("show databases").collect()
    owner.send("ready", secret=owner.secret, applicationId=sc.applicationId, ui=sc.uiWebUrl)
    while True:
        job = jobs.get()
        try:
            ended = run(job, spark, sc, owner, cancellation)
        except BaseException:
            # The driver itself is in doubt: the owner starts another one.
            for line in traceback.format_exc().splitlines():
                owner.send("line", stream="stderr", text=line)
            ended = {"exitCode": 1, "broken": True}
        owner.send("done", token=job["token"], **ended)


if __name__ == "__main__":
    main()
