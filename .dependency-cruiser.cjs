/** Import rules of ARCHITECTURE.md: one direction, no cycles. */
const ROOMS = {
  dag: ["errors", "config"],
  metadata: ["dag", "errors", "config"],
  operators: ["metadata", "dag", "errors", "config"],
  scheduler: ["metadata", "dag", "errors", "config"],
  worker: ["operators", "metadata", "dag", "errors", "config"],
  api: ["scheduler", "worker", "operators", "metadata", "dag", "errors", "config"],
  engines: ["errors", "config"],
  feed: ["errors"],
};

/** A rule a room: from it, only the rooms it may import. */
const roomRules = Object.entries(ROOMS).map(([room, allowed]) => ({
  name: `${room}-imports-downward`,
  severity: "error",
  comment: `src/${room} may import only ${allowed.join(", ")}`,
  from: { path: `^src/${room}/` },
  to: { path: "^src/", pathNot: [`^src/${room}/`, ...allowed.map((name) => `^src/${name}(/|\\.ts$)`)] },
}));

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
      from: { path: "^src/", pathNot: "^src/(metadata|engines)/" },
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
