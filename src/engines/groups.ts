/** The names by which people ask for engines. */
import type { Config } from "../config.ts";
import { QflowError } from "../errors.ts";
import { ENGINE_NAMES, type EngineName } from "./home.ts";

/** What can be asked for beside what every platform has. */
export const ENGINE_GROUPS = {
  kafka: ["kafka"],
  hdfs: ["namenode", "datanode"],
  yarn: ["resourcemanager", "nodemanager"],
  stream: ["kafka", "namenode", "datanode"],
} as const satisfies Record<string, readonly EngineName[]>;

/** The connection by which a cluster of the user's own takes the place of an engine. */
const REPLACED_BY: Partial<Record<EngineName, string>> = {
  kafka: "kafka_default",
  namenode: "hdfs_default",
  datanode: "hdfs_default",
  resourcemanager: "yarn_default",
  nodemanager: "yarn_default",
};

/**
 * The engines behind names of engines and groups, in the order in which they start, without those for which the user has set a
 * connection. Throws USAGE naming what is unknown.
 */
export function enginesFor(config: Pick<Config, "connections">, names: readonly string[]): EngineName[] {
  const wanted = new Set(names.flatMap(enginesOf));
  return ENGINE_NAMES.filter((name) => wanted.has(name) && config.connections[REPLACED_BY[name] ?? ""] === undefined);
}

function enginesOf(name: string): readonly EngineName[] {
  const group = Object.entries(ENGINE_GROUPS).find(([key]) => key === name)?.[1];
  const engine = ENGINE_NAMES.find((one) => one === name);
  const found = group ?? (engine && [engine]);
  if (found) return found;
  const known = [...new Set([...ENGINE_NAMES, ...Object.keys(ENGINE_GROUPS)])].join(", ");
  throw new QflowError("USAGE", `there is no engine "${name}"`, { remedy: `Choose from ${known}.` });
}

/** The engines that hold the lake: none where it is a folder, or on a cluster of the user's own. */
export function lakeEngines(config: Pick<Config, "connections" | "lakeDir">): EngineName[] {
  // An address without a host is that of the embedded HDFS, or of the connection that replaces it.
  return config.lakeDir.startsWith("hdfs:///") ? enginesFor(config, ["hdfs"]) : [];
}
