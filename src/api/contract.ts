/** Every shape on the wire: zod schemas that check requests, generate the OpenAPI document, and type the web client. */
export * from "./contract/approvals.ts";
export * from "./contract/asset-events.ts";
export * from "./contract/backfills.ts";
export * from "./contract/catalog.ts";
export * from "./contract/counted.ts";
export * from "./contract/dags.ts";
export * from "./contract/dead-messages.ts";
export * from "./contract/explain.ts";
export * from "./contract/file-states.ts";
export * from "./contract/notifications.ts";
export * from "./contract/platform.ts";
export * from "./contract/runs.ts";
export * from "./contract/schedule.ts";
export * from "./contract/secrets.ts";
export * from "./contract/services.ts";
export * from "./contract/shared.ts";
