/** What the driver of a YARN application prints. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { NOISE } from "./launch.ts";
import type { YarnApplication } from "./yarn-client.ts";

const ANSWER_MS = 10_000;
const STREAMS = ["stdout", "stderr"] as const;
/** What the NodeManager puts around a file. */
const FRAME_START = "LogContents:\n";
const FRAME_END = /\nEnd of LogType:[^\n]*(\n[*\n]*)?$/;

type Stream = (typeof STREAMS)[number];

/**
 * Reads it, each line once: from the folder of containers' logs where that is on this machine, else from the NodeManager, which sends on
 * to the cluster's log server once the application has ended.
 */
export class DriverLog {
  readonly #line: (stream: Stream, text: string) => void;
  readonly #folders: readonly string[];
  readonly #told = { stdout: 0, stderr: 0 };

  constructor(folders: readonly string[], line: (stream: Stream, text: string) => void) {
    this.#folders = folders;
    this.#line = line;
  }

  /** Tells the lines that have come since; those not complete yet only at the `end`. Never rejects: what is missed now is told later. */
  async read({ id, amContainerLogs }: YarnApplication, when: "meanwhile" | "end"): Promise<void> {
    const [, node, container] = /^(https?:\/\/[^/]+)\/node\/containerlogs\/([^/]+)\//.exec(amContainerLogs ?? "") ?? [];
    if (node === undefined || container === undefined) return;
    for (const stream of STREAMS) {
      const text =
        (await this.#local(join(id, container, stream))) ??
        (await contentOf(`${node}/ws/v1/node/containerlogs/${container}/${stream}`));
      if (text !== null) this.#tell(stream, text, when);
    }
  }

  async #local(path: string): Promise<string | null> {
    for (const folder of this.#folders) {
      const text = await readFile(join(folder, path), "utf8").catch(() => null);
      if (text !== null) return text;
    }
    return null;
  }

  #tell(stream: Stream, text: string, when: "meanwhile" | "end"): void {
    const complete = when === "end" ? text.length : text.lastIndexOf("\n") + 1;
    const fresh = text.slice(this.#told[stream], complete);
    if (fresh === "") return;
    this.#told[stream] = complete;
    for (const line of fresh.replace(/\n$/, "").split("\n")) if (!NOISE.test(line)) this.#line(stream, line);
  }
}

/** Folders of containers' logs that a cluster's configuration names. */
export async function logFoldersOf(hadoopConfDir: string): Promise<string[]> {
  const site = await readFile(join(hadoopConfDir, "yarn-site.xml"), "utf8").catch(() => "");
  const [, value] = /<name>\s*yarn\.nodemanager\.log-dirs\s*<\/name>\s*<value>([^<]*)<\/value>/.exec(site) ?? [];
  return (value ?? "").split(",").flatMap((folder) => folder.trim().replace(/^file:\/\//, "") || []);
}

async function contentOf(url: string): Promise<string | null> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!answer.ok) return null;
    return contentWithin(await answer.text());
  } catch {
    return null;
  }
}

/** The file within what a NodeManager answers. */
export function contentWithin(answer: string): string {
  const start = answer.indexOf(FRAME_START);
  const content = start < 0 ? answer : answer.slice(start + FRAME_START.length);
  return content.replace(FRAME_END, "");
}
