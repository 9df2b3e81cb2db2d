/** What a QFLOW_HOME keeps about its engines: its id, the ports chosen once, the generated passwords. */
import { randomBytes, randomInt, randomUUID } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, QflowError } from "../errors.ts";
import { readJson, writePrivate } from "./files.ts";
import { isFree } from "./ports.ts";

/** The engines of a home. `hive` is the Spark Thrift Server, which speaks HiveServer2's protocol. */
export const ENGINE_NAMES = ["postgres", "hive", "ftp"] as const;

/** One of {@link ENGINE_NAMES}. */
export type EngineName = (typeof ENGINE_NAMES)[number];

const portSchema = z.object({
  port: z.number().int().min(1).max(65535),
  /** Whether the engine has been reachable there, so that somebody may have noted the address. */
  published: z.boolean(),
});

const enginesSchema = z.object({
  ports: z.object({ postgres: portSchema, hive: portSchema, ftp: portSchema }),
  passwords: z.object({ postgres: z.string(), metastore: z.string(), ftp: z.string() }),
});

const instanceSchema = z.object({ id: z.string().min(1) });

/** Content of `engines.json`. */
export type EnginesState = z.infer<typeof enginesSchema>;

/** The state of one home. */
export interface HomeState extends EnginesState {
  /** Value of the `QFLOW_INSTANCE` marker. */
  readonly id: string;
}

/** Below the range from which Linux takes ports of outgoing connections, so that none of those can sit on a port of ours. */
const FIRST_PORT = 20_000;
const LAST_PORT = 29_999;

/** What the home holds, or null when no engine was ever started in it. Throws CONFIG_INVALID naming a damaged file. */
export async function readHome(home: string): Promise<HomeState | null> {
  const engines = await parsed(join(home, "engines.json"), enginesSchema);
  const instance = await parsed(join(home, "instance.json"), instanceSchema);
  return engines === null || instance === null ? null : { ...engines, id: instance.id };
}

/** What the home holds, chosen and written at the first time. Call it under the home's lock. */
export async function openHome(home: string): Promise<HomeState> {
  const instance = (await parsed(join(home, "instance.json"), instanceSchema)) ?? { id: randomUUID() };
  await writePrivate(join(home, "instance.json"), json(instance));
  const known = await parsed(join(home, "engines.json"), enginesSchema);
  if (known) return { ...known, id: instance.id };
  const taken = new Set<number>();
  const state: EnginesState = {
    ports: { postgres: await newPort(taken), hive: await newPort(taken), ftp: await newPort(taken) },
    passwords: { postgres: newPassword(), metastore: newPassword(), ftp: newPassword() },
  };
  await writePrivate(join(home, "engines.json"), json(state));
  return { ...state, id: instance.id };
}

/** Chooses another port for an engine whose port is taken and that has never been reachable; a published one is kept. */
export async function settlePort(home: string, state: HomeState, name: EngineName): Promise<HomeState> {
  const { port, published } = state.ports[name];
  if (published || (await isFree(port))) return state;
  const others = new Set(Object.values(state.ports).map((entry) => entry.port));
  return save(home, { ...state, ports: { ...state.ports, [name]: await newPort(others) } });
}

/** Notes that an engine has been reachable: from now on its port is kept. */
export async function publishPort(home: string, state: HomeState, name: EngineName): Promise<HomeState> {
  const entry = state.ports[name];
  if (entry.published) return state;
  return save(home, { ...state, ports: { ...state.ports, [name]: { ...entry, published: true } } });
}

async function save(home: string, state: HomeState): Promise<HomeState> {
  const { ports, passwords } = state;
  await writePrivate(join(home, "engines.json"), json({ ports, passwords }));
  return state;
}

async function newPort(taken: Set<number>): Promise<{ port: number; published: boolean }> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(FIRST_PORT, LAST_PORT + 1);
    if (taken.has(port) || !(await isFree(port))) continue;
    taken.add(port);
    return { port, published: false };
  }
  throw new QflowError("PORT_TAKEN", `no port between ${FIRST_PORT} and ${LAST_PORT} of 127.0.0.1 is free`, {
    remedy: "End programs that listen on many ports.",
  });
}

function newPassword(): string {
  return randomBytes(18).toString("base64url");
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

async function parsed<T>(path: string, schema: z.ZodType<T>): Promise<T | null> {
  try {
    const value = await readJson(path);
    return value === null ? null : schema.parse(value);
  } catch (cause) {
    throw new QflowError("CONFIG_INVALID", `${path} is damaged: ${messageOf(cause).slice(0, 200)}`, {
      remedy: "Restore the file, or start with an empty QFLOW_HOME (qflow reset).",
      cause,
    });
  }
}
