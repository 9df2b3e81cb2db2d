/** Import rules of ARCHITECTURE.md: one direction, no cycles. */
const ROOMS = {
  processes: [],
  kafka: [],
  dag: ["config"],
  lake: ["dag", "config"],
  metadata: ["dag", "config"],
  operators: ["metadata", "lake", "kafka", "dag", "config"],
  scheduler: ["operators", "kafka", "metadata", "dag", "config"],
  worker: ["operators", "lake", "metadata", "dag", "config"],
  notifications: ["metadata", "dag", "config"],
  api: ["scheduler", "worker", "operators", "lake", "metadata", "dag", "config"],
  engines: ["config", "kafka"],
  feed: ["kafka"],
};

/** Rooms that every room may import: they know none of the others. */
const FLOOR = ["errors", "processes"];

/** A rule a room: from it, only the rooms it may import. */
const roomRules = Object.entries(ROOMS).map(([room, upper]) => {
  const allowed = [...upper, ...FLOOR];
  return {
    name: `${room}-imports-downward`,
    severity: "error",
    comment: `src/${room} may import only ${allowed.join(", ")}`,
    from: { path: `^src/${room}/` },
    to: { path: "^src/", pathNot: [`^src/${room}/`, ...allowed.map((name) => `^src/${name}(/|\\.ts$)`)] },
  };
});

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "config-is-the-floor",
      severity: "error",
      comment: "config imports types of dag only",
      from: { path: "^src/(config|errors)\\.ts$" },
      to: { path: "^src/", pathNot: "^src/(errors|config)\\.ts$", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "dags-import-the-package",
      severity: "error",
      comment: "a DAG file imports the public package and its own helpers",
      from: { path: "^(dags|examples)/" },
      to: { path: "^src/", pathNot: "^src/(index|operators/index|testing)\\.ts$" },
    },
    {
      name: "only-metadata-knows-the-database-driver",
      severity: "error",
      comment: "the client of the sql operator talks to other databases",
      from: { path: "^src/", pathNot: "^src/(metadata/|engines/|operators/clients/postgres\\.ts$)" },
      to: { path: "node_modules/(pg|knex|pg-cursor)/", dependencyTypesNot: ["type-only"] },
    },
    ...roomRules,
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)fixtures/" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "default"],
      extensions: [".ts", ".tsx", ".js", ".mjs"],
    },
  },
};
