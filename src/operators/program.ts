/** `program`: one program that runs until it is told to end, without a shell. */
import { isAbsolute } from "node:path";
import { z } from "zod";
import { defineProgram } from "../dag/define-operator.ts";

const variable = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, "names of environment variables are letters, digits and _");

/** Config of {@link program}. */
export const programSchema = z.strictObject({
  /** The program and its arguments, each as it is: nothing is expanded. */
  command: z.array(z.string()).min(1),
  /** Added to what every program gets: PATH, HOME, LANG and the like, and what docs/services.md names. */
  env: z.record(variable, z.string()).default({}),
  /** Variables that get the password of a connection: name → connection id. */
  passwords: z.record(variable, z.string().min(1)).default({}),
  /** Working folder; an empty, private one, removed afterwards, unless set. */
  cwd: z.string().refine(isAbsolute, "the folder is not absolute").optional(),
});

/** {@link programSchema} once checked. */
export type ProgramConfig = z.output<typeof programSchema>;

/** A program for `service()`. See docs/services.md. */
export const program = defineProgram("program", programSchema);
