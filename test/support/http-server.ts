/** A web server for tests, on a free port of this machine. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ExecutionContext } from "ava";

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** How a path is answered. */
export type Answer = (request: SeenRequest, response: ServerResponse) => void;

/** Starts a server; paths without an answer get 404. Ends with the test. */
export async function httpServer(
  t: Pick<ExecutionContext, "teardown">,
  answers: Readonly<Record<string, Answer>>,
): Promise<{ origin: string; port: number; seen: SeenRequest[] }> {
  const seen: SeenRequest[] = [];
  const server: Server = createServer((request, response) => {
    const portions: Buffer[] = [];
    request.on("data", (portion: Buffer) => portions.push(portion));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      const one = { method, url, headers, body: Buffer.concat(portions).toString("utf8") };
      seen.push(one);
      const answer = answers[url.split("?")[0] ?? ""];
      if (answer) answer(one, response);
      else response.writeHead(404).end("no such page");
    });
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  t.teardown(() => {
    server.closeAllConnections();
    return new Promise<void>((closed) => server.close(() => closed()));
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, port, seen };
}

/** Answers with JSON. */
export function json(value: unknown, status = 200): Answer {
  return (_, response) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}
