/**
 * A tiny FTP server over a map of files, for faults that a real server cannot be asked for: cut transfers, wrong sizes, files that change
 * while they are read. It speaks what the client uses: PASV/EPSV, MLSD, SIZE, MDTM, REST, RETR, STOR, RNFR, RNTO, MKD, CWD.
 */
import { createServer, type Server, type Socket } from "node:net";
import { posix } from "node:path";
import type { Connection } from "../../src/dag/operator.ts";

/** One remote file; `size` and `content` may disagree on purpose. */
export interface FakeFile {
  content: Buffer;
  modified: Date;
  denied?: boolean;
}

/** What the server does wrong. */
export interface Faults {
  /** Path → bytes after which a RETR loses both connections; taken off the list one by one. */
  cutAfter: Map<string, number[]>;
  /** Path → bytes after which a RETR ends as if it were complete; taken off the list one by one. */
  shortAfter: Map<string, number[]>;
  /** Called with the path right before its content is sent. */
  beforeRead?: (path: string) => void;
  /** Folder → lines sent in place of its listing. */
  rawListings: Map<string, string[]>;
}

/** A running {@link startFakeFtp}. */
export interface FakeFtp {
  readonly connection: Connection;
  readonly files: Map<string, FakeFile>;
  readonly folders: Set<string>;
  readonly faults: Faults;
  /** Every command received, in order. */
  readonly commands: string[];
  put(path: string, content: string | Buffer, modified?: Date): void;
  stop(): Promise<void>;
}

/** Starts a server on a free port of the loopback interface. */
export async function startFakeFtp(): Promise<FakeFtp> {
  const files = new Map<string, FakeFile>();
  const folders = new Set<string>(["/"]);
  const faults: Faults = { cutAfter: new Map(), shortAfter: new Map(), rawListings: new Map() };
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const state = { files, folders, faults, commands };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("close", () => sockets.delete(socket));
    new FakeSession(socket, state).start();
  });
  const port = await listen(server);
  return {
    connection: { id: "ftp", kind: "ftp", host: "127.0.0.1", port, user: "u", password: "p", path: "/", options: {} },
    files,
    folders,
    faults,
    commands,
    put(path, content, modified = new Date("2026-11-22T10:00:00Z")) {
      files.set(path, { content: Buffer.from(content), modified });
      for (let folder = posix.dirname(path); folder !== "/"; folder = posix.dirname(folder)) folders.add(folder);
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => done((server.address() as { port: number }).port));
  });
}

type State = Pick<FakeFtp, "files" | "folders" | "faults" | "commands">;

class FakeSession {
  readonly #socket: Socket;
  readonly #state: State;
  #passive: { server: Server; socket: Promise<Socket> } | null = null;
  #cwd = "/";
  #rest = 0;
  #renameFrom = "";

  constructor(socket: Socket, state: State) {
    this.#socket = socket;
    this.#state = state;
  }

  start(): void {
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => this.#passive?.server.close());
    this.#reply("220 ready");
    let buffer = "";
    this.#socket.on("data", (chunk) => {
      buffer += chunk.toString("utf8");
      const lines = buffer.split("\r\n");
      buffer = lines.pop() ?? "";
      for (const line of lines) void this.#command(line);
    });
  }

  #reply(line: string): void {
    if (!this.#socket.destroyed) this.#socket.write(`${line}\r\n`);
  }

  async #command(line: string): Promise<void> {
    this.#state.commands.push(line);
    const [verb = "", ...rest] = line.split(" ");
    const argument = rest.join(" ");
    const path = posix.resolve(this.#cwd, argument);
    const handlers: Record<string, () => unknown> = {
      USER: () => this.#reply("331 password"),
      PASS: () => this.#reply("230 in"),
      FEAT: () =>
        this.#reply("211-\r\n MLST type*;size*;modify*;\r\n SIZE\r\n MDTM\r\n UTF8\r\n REST STREAM\r\n211 end"),
      PWD: () => this.#reply(`257 "${this.#cwd}"`),
      EPSV: () => this.#passiveMode(),
      MLSD: () => this.#list(argument === "" ? this.#cwd : path),
      SIZE: () => this.#withFile(path, (file) => this.#reply(`213 ${file.content.length}`)),
      MDTM: () => this.#withFile(path, (file) => this.#reply(`213 ${stamp(file.modified)}`)),
      REST: () => {
        this.#rest = Number(argument);
        this.#reply("350 go on");
      },
      RETR: () => this.#withFile(path, (file) => this.#send(path, file)),
      STOR: () => this.#receive(path),
      CWD: () => this.#changeFolder(path),
      MKD: () => {
        this.#state.folders.add(path);
        this.#reply(`257 "${path}"`);
      },
      RNFR: () => {
        this.#renameFrom = path;
        this.#reply("350 to?");
      },
      RNTO: () => this.#rename(path),
    };
    (handlers[verb] ?? (() => this.#reply("200 fine")))();
  }

  #withFile(path: string, work: (file: FakeFile) => unknown): void {
    const file = this.#state.files.get(path);
    if (file === undefined) this.#reply("550 no such file");
    else if (file.denied) this.#reply("550 permission denied");
    else work(file);
  }

  #changeFolder(path: string): void {
    const known = this.#state.folders.has(path);
    if (known) this.#cwd = path;
    this.#reply(known ? "250 here" : "550 no such folder");
  }

  #rename(path: string): void {
    const file = this.#state.files.get(this.#renameFrom);
    if (file) this.#state.files.set(path, file);
    this.#state.files.delete(this.#renameFrom);
    this.#reply("250 renamed");
  }

  async #passiveMode(): Promise<void> {
    this.#passive?.server.close();
    const server = createServer();
    const socket = new Promise<Socket>((done) => {
      server.once("connection", (open) => {
        open.on("error", () => {});
        done(open);
      });
    });
    this.#passive = { server, socket };
    const port = await listen(server);
    this.#reply(`229 Entering (|||${port}|)`);
  }

  async #data(): Promise<Socket> {
    if (this.#passive === null) throw new Error("no passive mode");
    return this.#passive.socket;
  }

  async #list(folder: string): Promise<void> {
    if (!this.#state.folders.has(folder)) return this.#reply("550 no such folder");
    this.#reply("150 listing");
    const data = await this.#data();
    const lines = this.#state.faults.rawListings.get(folder) ?? this.#lines(folder);
    data.end(lines.map((line) => `${line}\r\n`).join(""), () => {
      this.#reply("226 done");
    });
  }

  #lines(folder: string): string[] {
    const folders = [...this.#state.folders].filter((path) => path !== "/" && posix.dirname(path) === folder);
    const files = [...this.#state.files].filter(([path]) => posix.dirname(path) === folder);
    return [
      ...folders.map((path) => `type=dir;modify=20261122100000; ${posix.basename(path)}`),
      ...files.map(
        ([path, file]) =>
          `type=file;size=${file.content.length};modify=${stamp(file.modified)}; ${posix.basename(path)}`,
      ),
    ];
  }

  async #send(path: string, file: FakeFile): Promise<void> {
    const { faults } = this.#state;
    faults.beforeRead?.(path);
    const start = this.#rest;
    this.#rest = 0;
    this.#reply("150 sending");
    const data = await this.#data();
    const content = (this.#state.files.get(path) ?? file).content.subarray(start);
    const cut = faults.cutAfter.get(path)?.shift();
    const short = faults.shortAfter.get(path)?.shift();
    if (cut !== undefined) {
      data.write(content.subarray(0, cut), () => setImmediate(() => this.#lose(data)));
    } else {
      data.end(short === undefined ? content : content.subarray(0, short), () => this.#reply("226 done"));
    }
  }

  #lose(data: Socket): void {
    data.destroy();
    this.#socket.destroy();
  }

  async #receive(path: string): Promise<void> {
    this.#reply("150 ready");
    const data = await this.#data();
    const chunks: Buffer[] = [];
    for await (const chunk of data) chunks.push(chunk as Buffer);
    this.#state.files.set(path, { content: Buffer.concat(chunks), modified: new Date() });
    this.#reply("226 stored");
  }
}

function stamp(date: Date): string {
  return date.toISOString().replace(/[-:T]/g, "").slice(0, 14);
}
