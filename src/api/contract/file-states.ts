/** States of a delivered file: a module of its own, so that the web client can have it without the schemas. */
export const FILE_STATES = [
  "seen",
  "stable",
  "fetched",
  "verified",
  "loaded",
  "superseded",
  "duplicate",
  "quarantined",
] as const;
