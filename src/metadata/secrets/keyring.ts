/** The keys that connections and variables are sealed with: from a setting, and from a file of the QFLOW_HOME. */
import { createHash, randomBytes } from "node:crypto";
import { chmod, link, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { messageOf, QflowError } from "../../errors.ts";

/** One key, and the name by which a sealed value says that it needs this one. */
export interface SecretKey {
  readonly id: string;
  /** 32 bytes. */
  readonly bytes: Buffer;
}

/** The keys of an installation. */
export interface Keyring {
  /** What seals; null where no key has been made yet. */
  readonly active: SecretKey | null;
  /** The key of that id, or undefined. */
  find(id: string): SecretKey | undefined;
}

/** Where keys come from: settings of {@link Config}. */
export interface KeySource {
  readonly home: string;
  /** Keys of the environment, the one that seals first. */
  readonly secretKeys: readonly string[];
}

const FILE = "secret-keys.json";
const KEY_BYTES = 32;
const fileSchema = z.object({ keys: z.array(z.string()) });

/** Where the key file of a home is. */
export function keyFile(home: string): string {
  return join(home, FILE);
}

/** The keys there are now; makes none. Throws CONFIG_INVALID naming what is wrong. */
export async function openKeyring(source: KeySource): Promise<Keyring> {
  const fromSetting = source.secretKeys.map((text) => keyFrom(text, "QFLOW_SECRET_KEYS"));
  const path = keyFile(source.home);
  const fromFile = (await readKeys(path)).map((text) => keyFrom(text, path));
  const keys = [...fromSetting, ...fromFile];
  return { active: keys[0] ?? null, find: (id) => keys.find((key) => key.id === id) };
}

/** The keys, with one to seal with: at first use it is made and written to the home, readable by its owner alone. */
export async function openOrCreateKeyring(source: KeySource): Promise<Keyring & { readonly active: SecretKey }> {
  const keyring = await openKeyring(source);
  if (keyring.active) return { ...keyring, active: keyring.active };
  await mkdir(source.home, { recursive: true });
  const draft = await writeDraft(source.home, [newKey()]);
  try {
    // Linking fails where somebody else was faster: exactly one key is ever the first.
    await link(draft, keyFile(source.home)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  return openOrCreateKeyring(source);
}

/** Puts a new key before those of the file, or keeps in the file only those named by `keep`. */
export async function rewriteKeyFile(
  home: string,
  change: { add: true } | { keep: ReadonlySet<string> },
): Promise<void> {
  const path = keyFile(home);
  const present = await readKeys(path);
  const keys =
    "add" in change ? [newKey(), ...present] : present.filter((text) => change.keep.has(keyFrom(text, path).id));
  await rename(await writeDraft(home, keys), path);
}

async function writeDraft(home: string, keys: readonly string[]): Promise<string> {
  const draft = join(home, `${FILE}.${randomBytes(6).toString("hex")}.tmp`);
  await writeFile(draft, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  await chmod(draft, 0o600);
  return draft;
}

async function readKeys(path: string): Promise<string[]> {
  try {
    return fileSchema.parse(JSON.parse(await readFile(path, "utf8"))).keys;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    const why = error instanceof SyntaxError || error instanceof z.ZodError ? "not a key file" : messageOf(error);
    throw new QflowError("CONFIG_INVALID", `${path} cannot be read: ${why}`, {
      remedy: "Restore the file from a backup: without it connections and variables cannot be opened.",
    });
  }
}

function newKey(): string {
  return randomBytes(KEY_BYTES).toString("base64");
}

function keyFrom(text: string, where: string): SecretKey {
  const bytes = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, "hex") : Buffer.from(text, "base64");
  if (bytes.length !== KEY_BYTES) {
    throw new QflowError("CONFIG_INVALID", `${where} holds something that is no key of ${KEY_BYTES} bytes`, {
      remedy: "Make one with: openssl rand -base64 32",
    });
  }
  return { id: createHash("sha256").update("qflow key").update(bytes).digest("hex").slice(0, 12), bytes };
}
