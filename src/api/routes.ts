/** Every endpoint there is. */
import { actionRoutes } from "./airflow/action-routes.ts";
import { approvalRoutes } from "./airflow/approval-routes.ts";
import { assetEventRoutes } from "./airflow/asset-event-routes.ts";
import { backfillRoutes } from "./airflow/backfill-routes.ts";
import { connectionRoutes } from "./airflow/connection-routes.ts";
import { dagRoutes } from "./airflow/dag-routes.ts";
import { platformRoutes, unsupportedRoutes } from "./airflow/platform-routes.ts";
import { poolRoutes } from "./airflow/pool-routes.ts";
import { runRoutes } from "./airflow/run-routes.ts";
import { taskActionRoutes } from "./airflow/task-action-routes.ts";
import { taskRoutes } from "./airflow/task-routes.ts";
import { variableRoutes } from "./airflow/variable-routes.ts";
import { catalogRoutes } from "./catalog-routes.ts";
import { deadMessageRoutes } from "./dead-message-routes.ts";
import { eventRoutes } from "./event-routes.ts";
import { explainRoutes } from "./explain-routes.ts";
import { gridRoutes } from "./grid-routes.ts";
import { insightRoutes } from "./insight-routes.ts";
import { lineageRoutes } from "./lineage-routes.ts";
import { logRoutes } from "./log-routes.ts";
import { loginRoutes } from "./login-routes.ts";
import { notificationRoutes } from "./notification-routes.ts";
import { openApiDocument } from "./openapi.ts";
import { type Route, route } from "./route.ts";
import { scheduleRoutes } from "./schedule-routes.ts";
import { serviceRoutes } from "./service-routes.ts";
import { sqlRoutes } from "./sql-routes.ts";

const document = route({
  method: "get",
  path: "/api/openapi.json",
  guard: "public",
  summary: "This API as an OpenAPI 3.1 document.",
  handle: async ({ api }) => openApiDocument(allRoutes, api.version),
});

/** In order of matching. */
export const allRoutes: readonly Route[] = [
  document,
  ...loginRoutes,
  ...actionRoutes,
  ...taskActionRoutes,
  ...approvalRoutes,
  ...dagRoutes,
  ...runRoutes,
  ...assetEventRoutes,
  ...logRoutes,
  ...taskRoutes,
  ...gridRoutes,
  ...scheduleRoutes,
  ...explainRoutes,
  ...serviceRoutes,
  ...notificationRoutes,
  ...deadMessageRoutes,
  ...catalogRoutes,
  ...insightRoutes,
  ...sqlRoutes,
  ...lineageRoutes,
  ...eventRoutes,
  ...connectionRoutes,
  ...variableRoutes,
  ...poolRoutes,
  ...backfillRoutes,
  ...platformRoutes,
  ...unsupportedRoutes,
];
