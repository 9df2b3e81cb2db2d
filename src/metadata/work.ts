/** The calls of a worker. Each is one round trip; a write that carries an old token changes nothing. */
export * from "./attempt-writes.ts";
export { fetchBundle } from "./bundles.ts";
export { type ClaimIdentity, finishAndClaim } from "./finish.ts";
export { appendLog, readLog } from "./logs.ts";
export * from "./work-types.ts";
export {
  drainWorker,
  endWorker,
  HEARTBEAT_SECONDS,
  heartbeat,
  LEASE_SECONDS,
  registerWorker,
} from "./worker-sessions.ts";
