/** TCP ports of loopback. */
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { QflowError } from "../errors.ts";

/** Below the range from which Linux takes ports of outgoing connections, so that none of those can sit on a port chosen earlier. */
const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

/** A port of 127.0.0.1 that is free at this moment, and none of those. Throws PORT_TAKEN. */
export async function freePort(taken: ReadonlySet<number> = new Set()): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new QflowError("PORT_TAKEN", `no port between ${FIRST_PORT} and ${LAST_PORT} of 127.0.0.1 is free`, {
    remedy: "End programs that listen on many ports.",
  });
}

/** Whether nobody listens on the port at this moment. */
export function isFree(port: number): Promise<boolean> {
  return listenOnce(port).then(
    () => true,
    () => false,
  );
}

/** Throws PORT_TAKEN naming the port and what wanted it, when somebody listens there. */
export async function requireFreePort(port: number, wantedBy: string): Promise<void> {
  try {
    await listenOnce(port);
  } catch (cause) {
    throw new QflowError(
      "PORT_TAKEN",
      `port ${port} of 127.0.0.1, which ${wantedBy} uses, is taken by another program`,
      {
        remedy: `End the program that listens on port ${port}, or remove the entry of ${wantedBy} from engines.json to have another port chosen.`,
        details: { port, wantedBy },
        cause,
      },
    );
  }
}

function listenOnce(port: number): Promise<void> {
  return new Promise((settle, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      server.close(() => settle());
    });
  });
}
