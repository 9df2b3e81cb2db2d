/** A TCP proxy that misbehaves as told: between processes and their database. */
import { createConnection, createServer, type Server, type Socket } from "node:net";

/** What the proxy does to connections. */
export interface ProxyMode {
  /** Nothing passes, nobody is told. */
  readonly blackHole?: boolean;
  /** Milliseconds by which everything from the database is late. */
  readonly lateMs?: number;
  /** The next connection that sends this text is cut when the database answers: the answer is lost. */
  readonly loseAnswerOf?: string;
}

/** A proxy in front of one port of this machine. */
export class ChaosProxy {
  readonly port: number;
  mode: ProxyMode = {};
  /** Answers that were lost. */
  lost = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
  }

  /** Listens on a free port of 127.0.0.1. */
  static async before(target: number): Promise<ChaosProxy> {
    const server = createServer();
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    const address = server.address();
    const proxy = new ChaosProxy(server, typeof address === "object" && address ? address.port : 0);
    server.on("connection", (client) => proxy.#serve(client, target));
    return proxy;
  }

  /** Cuts every connection. */
  reset(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((closed) => this.#server.close(closed));
  }

  #serve(client: Socket, target: number): void {
    const database = createConnection(target, "127.0.0.1");
    let doomed = false;
    for (const socket of [client, database]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        client.destroy();
        database.destroy();
      });
    }
    client.on("data", (data) => {
      if (this.mode.blackHole) return;
      const { loseAnswerOf } = this.mode;
      if (loseAnswerOf && data.includes(loseAnswerOf)) {
        doomed = true;
        this.mode = {};
      }
      database.write(data);
    });
    database.on("data", (data) => {
      if (this.mode.blackHole) return;
      if (doomed) {
        this.lost++;
        client.resetAndDestroy();
        return;
      }
      if (this.mode.lateMs) setTimeout(() => client.write(data), this.mode.lateMs);
      else client.write(data);
    });
  }
}
