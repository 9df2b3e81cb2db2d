/** Every guard of the engine: what it is, what takes it away, and which tests then fail. */
import { DATABASE_GUARDS } from "./guards/database-guards.ts";
import type { Guard } from "./guards/guard.ts";
import { PROCESS_GUARDS } from "./guards/process-guards.ts";
import { STREAM_GUARDS } from "./guards/stream-guards.ts";

/** All guards. */
export const GUARDS: readonly Guard[] = [...DATABASE_GUARDS, ...PROCESS_GUARDS, ...STREAM_GUARDS];
