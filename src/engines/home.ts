/** What a QFLOW_HOME keeps about its engines: its id, the ports chosen once, the generated passwords. */
import { randomBytes, randomUUID } from "node:crypto";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, QflowError } from "../errors.ts";
import { freePort, isFree } from "../processes/ports.ts";
import { readJson, writePrivate } from "./files.ts";

/** The engines of every platform. `hive` is the Spark Thrift Server, which speaks HiveServer2's protocol. */
export const CORE_ENGINES = ["postgres", "hive", "ftp"] as const;

/** All engines, in the order in which they are started; they are stopped the other way round. */
export const ENGINE_NAMES = [
  "postgres",
  "kafka",
  "namenode",
  "datanode",
  "resourcemanager",
  "nodemanager",
  "hive",
  "ftp",
] as const;

/** One of {@link ENGINE_NAMES}. */
export type EngineName = (typeof ENGINE_NAMES)[number];

/** Ports beside the one of an engine's own name, by which clients know it. */
const FURTHER_PORTS = {
  postgres: [],
  kafka: ["kafkaController"],
  namenode: ["namenodeHttp"],
  datanode: ["datanodeHttp", "datanodeIpc"],
  resourcemanager: [
    "resourcemanagerHttp",
    "resourcemanagerScheduler",
    "resourcemanagerTracker",
    "resourcemanagerAdmin",
  ],
  nodemanager: ["nodemanagerHttp", "nodemanagerLocalizer"],
  hive: [],
  ftp: [],
} as const satisfies Record<EngineName, readonly string[]>;

/** A port that a home has chosen. */
export type PortName = EngineName | (typeof FURTHER_PORTS)[EngineName][number];

/** The ports of an engine, its own first. */
export function portsOf(name: EngineName): readonly PortName[] {
  return [name, ...FURTHER_PORTS[name]];
}

const PORT_NAMES = ENGINE_NAMES.flatMap(portsOf);

const portSchema = z.object({
  port: z.number().int().min(1).max(65535),
  /** Whether the engine has been reachable there, so that somebody may have noted the address. */
  published: z.boolean(),
});

const enginesSchema = z.object({
  ports: z
    .partialRecord(z.enum(PORT_NAMES), portSchema)
    .and(z.object({ postgres: portSchema, hive: portSchema, ftp: portSchema })),
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

/** The chosen ports by their names. Throws INTERNAL when one has not been. */
export function portsFor<const N extends PortName>(state: EnginesState, names: readonly N[]): Record<N, number> {
  return Object.fromEntries(names.map((name) => [name, portOf(state, name)])) as Record<N, number>;
}

/** The chosen port. Throws INTERNAL when none has been. */
export function portOf(state: EnginesState, name: PortName): number {
  const entry = state.ports[name];
  if (entry) return entry.port;
  throw new QflowError("INTERNAL", `no port has been chosen for ${name}`);
}

/**
 * Chooses ports for an engine that has none yet, and others for one whose ports are taken and that has never been reachable; published
 * ones are kept.
 */
export async function settlePorts(home: string, state: HomeState, engine: EngineName): Promise<HomeState> {
  const ports = { ...state.ports };
  for (const name of portsOf(engine)) {
    const entry = ports[name];
    if (entry && (entry.published || (await isFree(entry.port)))) continue;
    ports[name] = await newPort(new Set(Object.values(ports).map(({ port }) => port)));
  }
  return save(home, { ...state, ports });
}

/** Notes that an engine has been reachable: from now on its ports are kept. */
export async function publishPorts(home: string, state: HomeState, engine: EngineName): Promise<HomeState> {
  const ports = { ...state.ports };
  for (const name of portsOf(engine)) ports[name] = { port: portOf(state, name), published: true };
  return save(home, { ...state, ports });
}

async function save(home: string, state: HomeState): Promise<HomeState> {
  const { ports, passwords } = state;
  await writePrivate(join(home, "engines.json"), json({ ports, passwords }));
  return state;
}

async function newPort(taken: Set<number>): Promise<{ port: number; published: boolean }> {
  const port = await freePort(taken);
  taken.add(port);
  return { port, published: false };
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
