/** What the engines are made of, pinned: `engines.lock.json`. */
import { createHash } from "node:crypto";
import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

/** Something to download: the name of the file, its size in bytes and its SHA-256. */
export interface Artifact {
  readonly file: string;
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A package of the Python index. */
export interface PythonArtifact extends Artifact {
  readonly version: string;
}

/** A file of the Maven repository. */
export interface JavaArtifact extends Artifact {
  readonly organisation: string;
  readonly revision: string;
  readonly type: string;
  readonly classifier?: string;
}

/** Everything that is installed. */
export interface EnginesLock {
  readonly python: readonly PythonArtifact[];
  readonly java: readonly JavaArtifact[];
  /** Scripts of the metastore's schema, in the order in which they are applied. */
  readonly hiveSchema: readonly string[];
  /** Jars that only some installations need. */
  readonly jarSets: Readonly<Record<JarSetName, readonly JavaArtifact[]>>;
}

/** `kafka` = the broker, `sparkKafka` = Spark's connector to it, `hadoop` = HDFS and YARN, `yarn` = what YARN needs beyond that. */
export type JarSetName = "kafka" | "sparkKafka" | "hadoop" | "yarn";

const LOCK_FILE = join(import.meta.dirname, "../../engines.lock.json");

/** The pinned artifacts. */
export const ENGINES_LOCK = JSON.parse(readFileSync(LOCK_FILE, "utf8")) as EnginesLock;

/** Names an installation of exactly what every platform has: sets of jars that come and go beside it leave it as it is. */
export const ENGINES_LOCK_ID = idOf({ ...ENGINES_LOCK, jarSets: undefined });

/** Names an installation of exactly these jars. */
export function jarSetId(name: JarSetName): string {
  return idOf(ENGINES_LOCK.jarSets[name]);
}

function idOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex").slice(0, 12);
}

/** SHA-256 of a file, in hexadecimal digits. */
export async function sha256(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return hash.digest("hex");
}
