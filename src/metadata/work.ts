/** The calls of a worker. Each is one round trip; a write that carries an old token changes nothing. */
export * from "./work-types.ts";
