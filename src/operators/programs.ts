/** Which module prepares which program. Only workers load them. */
import type { z } from "zod";
import type { Json } from "../dag/spec.ts";
import { QflowError } from "../errors.ts";
import { programSchema } from "./program.ts";
import type { PrepareProgram, ProgramCommand, ProgramContext } from "./program-command.ts";
import { sparkStreamSchema } from "./spark-stream.ts";

/** A program ready to be prepared: checks the config first. */
export type ReadyProgram = (config: Json, context: ProgramContext) => Promise<ProgramCommand>;

const PROGRAMS = new Map<string, () => Promise<ReadyProgram>>([
  ["program", async () => checked(programSchema, (await import("./program.run.ts")).prepare)],
  ["spark_stream", async () => checked(sparkStreamSchema, (await import("./spark-stream.run.ts")).prepare)],
]);

/** Loads what prepares a program by its registered name. Throws OPERATOR_UNKNOWN. */
export async function loadProgram(name: string): Promise<ReadyProgram> {
  const load = PROGRAMS.get(name);
  if (load === undefined) throw new QflowError("OPERATOR_UNKNOWN", `there is no program ${name}`);
  return load();
}

function checked<S extends z.ZodType>(schema: S, prepare: PrepareProgram<z.output<S>>): ReadyProgram {
  return (config, context) => {
    const parsed = schema.safeParse(config);
    if (parsed.success) return prepare(parsed.data, context);
    const issue = parsed.error.issues[0];
    throw new QflowError("OPERATOR_CONFIG", `config ${issue?.path.join(".")}: ${issue?.message}`);
  };
}
