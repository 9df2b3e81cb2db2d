/** The FTP server that serves the feed's folder, read-only. */
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Client } from "basic-ftp";
import { INSTANCE_MARKER } from "../processes/markers.ts";
import { requireFreePort } from "../processes/ports.ts";
import { type OnStarted, untilReady } from "./engine.ts";
import { writePrivate } from "./files.ts";
import { type EngineProcess, startProcess } from "./process.ts";

/** User of the server. */
export const FTP_USER = "feed";

const READY_TIMEOUT_MS = 30_000;
const ANSWER_TIMEOUT_MS = 5_000;

/** How the server is laid out. */
export interface FtpServerOptions {
  /** Is told of the process before it is ready. */
  readonly onStarted?: OnStarted;
  /** A Python that has pyftpdlib. */
  readonly python: string;
  /** The folder that is served. */
  readonly root: string;
  readonly port: number;
  readonly password: string;
  /** Where the file with the password goes. */
  readonly runDir: string;
  readonly logFile: string;
  readonly instance: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** Starts the server; resolves when a login is answered. Throws PORT_TAKEN or ENGINE_FAILED. */
export async function startFtpServer(options: FtpServerOptions): Promise<EngineProcess> {
  await requireFreePort(options.port, "the FTP server");
  await mkdir(options.root, { recursive: true });
  await mkdir(dirname(options.logFile), { recursive: true });
  const { root, port, password } = options;
  const settings = join(options.runDir, "ftp-settings.json");
  await writePrivate(settings, JSON.stringify({ root, port, user: FTP_USER, password }));
  const running = await startProcess({
    name: "the FTP server",
    command: options.python,
    args: [join(import.meta.dirname, "ftp_server.py"), settings],
    env: { ...options.environment, PYTHONDONTWRITEBYTECODE: "1", TZ: "UTC", [INSTANCE_MARKER]: options.instance },
    cwd: "/",
    logFile: options.logFile,
    stopSignals: [{ signal: "SIGTERM", patienceMs: 3_000 }],
  });
  options.onStarted?.(running);
  await untilReady(running, () => ftpAnswers(port, password), {
    title: "the FTP server",
    timeoutMs: READY_TIMEOUT_MS,
    pollMs: 50,
    logFile: options.logFile,
  });
  return running;
}

/** Whether the server answers a login. Never rejects. */
export async function ftpAnswers(port: number, password: string): Promise<boolean> {
  const client = new Client(ANSWER_TIMEOUT_MS);
  try {
    await client.access({ host: "127.0.0.1", port, user: FTP_USER, password });
    return true;
  } catch {
    return false;
  } finally {
    client.close();
  }
}
