/** Faults of the wire that a real cluster does not give when asked: answers lost after the work, bodies that break off, silence. */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import test, { type ExecutionContext } from "ava";
import type { Bytes, FileStore } from "../../src/lake/index.ts";
import { WebHdfsStore } from "../../src/lake/webhdfs-store.ts";
import { bytesOf, text } from "./support/contract.ts";

type Answer = (url: URL, response: ServerResponse, request: IncomingMessage) => void;

interface Wire {
  readonly store: FileStore;
  readonly calls: string[];
  readonly address: string;
}

/** A server that answers each operation as it is told to. */
async function wire(t: ExecutionContext, answers: Readonly<Record<string, Answer>>, idleMs = 30_000): Promise<Wire> {
  const calls: string[] = [];
  const answer: Answer = (url, response, request) => {
    const op = url.searchParams.get("op") ?? url.pathname;
    calls.push(op);
    const found = answers[op];
    if (found) found(url, response, request);
    else json(response, 404, remote("FileNotFoundException"));
  };
  const serve = (request: IncomingMessage, response: ServerResponse) =>
    answer(new URL(request.url ?? "", "http://fake"), response, request);
  const server = createServer(serve);
  server.on("checkContinue", (request, response) => {
    response.writeContinue();
    serve(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const address = { host: "127.0.0.1", port, user: "q", idleMs };
  const store = new WebHdfsStore({ authority: "nn:8020", folder: "/lake" }, address);
  return { store, calls, address: `http://127.0.0.1:${port}` };
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function remote(exception: string, message = "said so"): unknown {
  return { RemoteException: { exception, message } };
}

function status(fileId: number, length = 1): unknown {
  return { FileStatus: { pathSuffix: "", type: "FILE", length, modificationTime: 0, fileId } };
}

const drop: Answer = (_url, response) => void response.socket?.destroy();

test("a rename whose answer is lost after it was done is done", async (t) => {
  let renamed = false;
  const { store, calls } = await wire(t, {
    GETFILESTATUS: (url, response) => {
      if (url.pathname.endsWith(renamed ? "/to" : "/from")) json(response, 200, status(7));
      else json(response, 404, remote("FileNotFoundException"));
    },
    RENAME: (url, response, request) => {
      renamed = true;
      drop(url, response, request);
    },
  });
  await store.rename("from", "to");
  t.is(calls.filter((op) => op === "RENAME").length, 1);
});

test("a rename onto a name that another file took meanwhile is refused", async (t) => {
  const { store } = await wire(t, {
    GETFILESTATUS: (url, response) => json(response, 200, status(url.pathname.endsWith("/from") ? 7 : 8)),
    RENAME: (_url, response) => json(response, 403, remote("FileAlreadyExistsException")),
  });
  await t.throwsAsync(store.rename("from", "to"), { code: "FILE_EXISTS" });
});

test("a content that breaks off is resumed where it broke", async (t) => {
  const content = randomBytes(10_000);
  const starts: number[] = [];
  const { store } = await wire(t, {
    OPEN: (url, response, request) =>
      json(response, 200, { Location: `http://${request.headers.host}/data?offset=${url.searchParams.get("offset")}` }),
    "/data": (url, response) => {
      const start = Number(url.searchParams.get("offset"));
      starts.push(start);
      response.writeHead(200, { "Content-Length": String(content.length - start) });
      if (starts.length === 3) response.end(content.subarray(start));
      else response.write(content.subarray(start, start + 4_000), () => response.socket?.destroySoon());
    },
  });
  t.deepEqual(await bytesOf(store.read("f")), content);
  t.deepEqual(starts, [0, 4_000, 8_000]);
});

test("a DataNode that goes away while it is sent content: try again later, and nothing has the name", async (t) => {
  const { store, calls } = await wire(t, {
    CREATE: (_url, response, request) => json(response, 200, { Location: `http://${request.headers.host}/data` }),
    "/data": (_url, response, request) => request.once("data", () => response.socket?.destroy()),
    DELETE: (_url, response) => json(response, 200, { boolean: true }),
  });
  await t.throwsAsync(store.write("f", text("x".repeat(500_000))), { code: "LAKE_UNAVAILABLE" });
  t.false(calls.includes("RENAME"));
  t.true(calls.includes("DELETE"));
});

test("content that breaks off is ended and answered before its draft is removed: a DataNode makes a file late", async (t) => {
  const order: string[] = [];
  const { store } = await wire(t, {
    CREATE: (_url, response, request) => json(response, 200, { Location: `http://${request.headers.host}/data` }),
    "/data": (_url, response, request) =>
      request.resume().once("end", () => {
        order.push("made");
        response.writeHead(201).end();
      }),
    DELETE: (_url, response) => {
      order.push("removed");
      json(response, 200, { boolean: true });
    },
  });
  const broken = async function* (): Bytes {
    yield randomBytes(1_000);
    throw new Error("the source broke");
  };
  await t.throwsAsync(store.write("f", broken()), { message: "the source broke" });
  t.deepEqual(order, ["made", "removed"]);
});

test("content of which HDFS holds less than was sent is not published", async (t) => {
  const { store, calls } = await wire(t, {
    CREATE: (_url, response, request) => json(response, 200, { Location: `http://${request.headers.host}/data` }),
    "/data": (_url, response, request) => request.resume().once("end", () => response.writeHead(201).end()),
    GETFILESTATUS: (url, response) => {
      if (url.pathname.includes(".incoming")) json(response, 200, status(3, 2));
      else json(response, 404, remote("FileNotFoundException"));
    },
  });
  await t.throwsAsync(store.write("f", text("abc")), { code: "LAKE_UNAVAILABLE", message: /2 of 3 bytes/ });
  t.false(calls.includes("RENAME"));
});

test("a question that gets no answer is asked again, then the lake is unavailable", async (t) => {
  let asked = 0;
  const answer: Answer = (_url, response) => {
    if (++asked >= 3) json(response, 200, status(1));
  };
  const { store } = await wire(t, { GETFILESTATUS: answer }, 300);
  t.like(await store.stat("f"), { kind: "file" });
  t.true(asked >= 3);
});

test("nobody listens", async (t) => {
  const store = new WebHdfsStore({ authority: "nn:8020", folder: "/lake" }, { host: "127.0.0.1", port: 1, user: "q" });
  await t.throwsAsync(store.stat("f"), { code: "LAKE_UNAVAILABLE", message: /127.0.0.1:1/ });
});

test("a store that is told to end stops asking", async (t) => {
  const ended = new AbortController();
  const address = { host: "127.0.0.1", port: 1, user: "q", signal: ended.signal };
  const store = new WebHdfsStore({ authority: "nn:8020", folder: "/lake" }, address);
  ended.abort(new Error("enough"));
  await t.throwsAsync(store.stat("f"), { message: /enough|aborted/ });
});

for (const [exception, message, code] of [
  ["AccessControlException", "Permission denied", "LAKE_DENIED"],
  ["DSQuotaExceededException", "quota", "LAKE_FULL"],
  ["SafeModeException", "Name node is in safe mode", "LAKE_UNAVAILABLE"],
  ["StandbyException", "not active", "LAKE_UNAVAILABLE"],
  ["IOException", "File /f could only be written to 0 of the 1 minReplication nodes", "LAKE_UNAVAILABLE"],
  ["IOException", "something else", "LAKE_FAILED"],
] as const) {
  test(`${exception} "${message}" is ${code}`, async (t) => {
    const { store } = await wire(t, {
      MKDIRS: (_url, response) => json(response, 403, remote(exception, message)),
    });
    await t.throwsAsync(store.mkdir("f"), { code });
  });
}
