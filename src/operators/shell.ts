/** `shell`: one program, without a shell. */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { defineOperator } from "../dag/define-operator.ts";
import type { Json } from "../dag/spec.ts";

const exitCodes = z.array(z.number().int().min(1).max(255)).default([]);
const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "names of environment variables are letters, digits and _");

/** Config of {@link shell}. */
export const shellSchema = z.strictObject({
  /** The program and its arguments, each as it is: nothing is expanded. For a script: `["bash", "-c", "…"]`. */
  command: z.array(z.string()).min(1),
  /** Added to what every program gets: PATH, HOME, LANG and the like, and nothing else of the worker's environment. */
  env: z.record(variable, z.string()).default({}),
  /** Variables that get the password of a connection: name → connection id. */
  passwords: z.record(variable, z.string().min(1)).default({}),
  /** Given on standard input. */
  stdin: z.string().default(""),
  /** Working folder; an empty, private one, removed afterwards, unless set. */
  cwd: z.string().refine(isAbsolute, "the folder is not absolute").optional(),
  /** What becomes of standard output: parsed as JSON, kept as text, its last line, or only logged. */
  output: z.enum(["none", "lastLine", "text", "json"]).default("lastLine"),
  /** More output than this fails the task where it is kept. */
  maxBytes: z.number().int().min(1).max(16_777_216).default(1_048_576),
  /** Exit codes that end the task as skipped. */
  skipOn: exitCodes,
  /** Exit codes after which it is not tried again. */
  fatalOn: exitCodes,
});

/** Runs a program; what it printed, as `output` says, is the value. See docs/operators/shell.md. */
export const shell = defineOperator<Json, typeof shellSchema>("shell", shellSchema);
