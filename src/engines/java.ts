/** Engines that are Java programs. */
import { mkdir, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { INSTANCE_MARKER } from "../processes/markers.ts";
import { requireFreePort } from "../processes/ports.ts";
import { type OnStarted, untilReady } from "./engine.ts";
import { type EngineProcess, startProcess } from "./process.ts";

/** What an engine needs of those who start it. */
export interface JavaSite {
  readonly javaHome: string;
  readonly logFile: string;
  /** Value of the instance marker. */
  readonly instance: string;
  /** Path, locale and the like. */
  readonly environment: Readonly<Record<string, string>>;
  /** Is told of the process before it is ready. */
  readonly onStarted?: OnStarted;
}

/** One Java program that stays. */
export interface JavaProgram {
  /** As people call it, with its article. */
  readonly title: string;
  readonly mainClass: string;
  readonly classPath: readonly string[];
  /** Largest heap, in MiB. */
  readonly heapMb: number;
  readonly options?: readonly string[];
  readonly args?: readonly string[];
  readonly cwd: string;
  /** All that it listens on. */
  readonly ports: readonly number[];
  /** How long it may take to end when asked to, in milliseconds. */
  readonly stopPatienceMs: number;
  ready(): Promise<boolean>;
}

const READY_TIMEOUT_MS = 180_000;
const POLL_MS = 250;

/** Environment and options that every Java program of ours gets: a small footprint, and an end when memory is short. */
const OPTIONS = [
  "-XX:+UseSerialGC",
  "-XX:+ExitOnOutOfMemoryError",
  "-Djava.net.preferIPv4Stack=true",
  "-Duser.timezone=UTC",
];

/** Starts the program; resolves when it is ready. Throws PORT_TAKEN or ENGINE_FAILED. */
export async function startJava(program: JavaProgram, site: JavaSite): Promise<EngineProcess> {
  for (const port of program.ports) await requireFreePort(port, program.title);
  // Java programs leave unpacked libraries and pages there when they are killed.
  const temporary = join(program.cwd, "java-tmp", basename(site.logFile, ".log"));
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  await mkdir(dirname(site.logFile), { recursive: true });
  const running = await startProcess({
    name: program.title,
    command: join(site.javaHome, "bin/java"),
    args: [
      ...[`-Xmx${program.heapMb}m`, `-Djava.io.tmpdir=${temporary}`, ...OPTIONS, ...(program.options ?? [])],
      ...["-cp", program.classPath.join(":"), program.mainClass, ...(program.args ?? [])],
    ],
    env: { ...site.environment, TZ: "UTC", [INSTANCE_MARKER]: site.instance },
    cwd: program.cwd,
    logFile: site.logFile,
    stopSignals: [{ signal: "SIGTERM", patienceMs: program.stopPatienceMs }],
  });
  site.onStarted?.(running);
  await untilReady(running, () => program.ready(), {
    title: program.title,
    timeoutMs: READY_TIMEOUT_MS,
    pollMs: POLL_MS,
    logFile: site.logFile,
  });
  return running;
}
