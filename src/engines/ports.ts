/** TCP ports of loopback. */
import { createServer } from "node:net";
import { QflowError } from "../errors.ts";

/** A port of 127.0.0.1 that is free at this moment. */
export function freePort(): Promise<number> {
  return listenOnce(0);
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

function listenOnce(port: number): Promise<number> {
  return new Promise((settle, fail) => {
    const server = createServer();
    server.once("error", fail);
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      const address = server.address();
      const chosen = typeof address === "object" && address !== null ? address.port : port;
      server.close(() => settle(chosen));
    });
  });
}
