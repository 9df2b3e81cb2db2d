/** `fileSensor`: waits until files are there. */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { defineSensor } from "../dag/define-operator.ts";

/** Config of {@link fileSensor}. */
export const fileSensorSchema = z.strictObject({
  /** Absolute path, or pattern with `*`, `**`, `?`, `{a,b}`, on the machine of the scheduler. */
  path: z.string().refine((path) => isAbsolute(path), "the path is not absolute"),
  /** So many files must be there. */
  files: z.number().int().min(1).max(1000).default(1),
  /** Smaller files do not count. */
  minBytes: z.number().int().min(0).default(0),
  /** Files that changed within so many seconds do not count: somebody still writes them. */
  stableSeconds: z.number().min(0).max(86_400).default(0),
});

/** One file that was found. */
export interface FoundFile {
  path: string;
  bytes: number;
  /** ISO 8601 in UTC. */
  modified: string;
}

/** Waits until files are there; they are its value, by path, at most 1,000. See docs/operators/file-sensor.md. */
export const fileSensor = defineSensor<FoundFile[], typeof fileSensorSchema>("file_sensor", fileSensorSchema);
