/** Every address of the UI. Pages are loaded when they are first opened, data is prefetched on hover. */
import type { QueryClient } from "@tanstack/react-query";
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent } from "@tanstack/react-router";
import { Skeleton } from "./components/feedback.tsx";
import { dagListQuery, dagQuery, datasetListQuery, datasetQuery, gridQuery, runQuery } from "./lib/queries.ts";
import {
  dagsSearch,
  datasetSearch,
  datasetsSearch,
  filesSearch,
  panelSearch,
  runsSearch,
  serviceSearch,
  sqlSearch,
} from "./lib/search.ts";
import { serviceListQuery, serviceQuery } from "./lib/service-queries.ts";
import { NotFound } from "./shell/not-found.tsx";
import { PageError } from "./shell/page-error.tsx";
import { Shell } from "./shell/shell.tsx";

interface Context {
  client: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Shell, notFoundComponent: NotFound });

const home = createRoute({
  getParentRoute: () => root,
  path: "/",
  component: lazyRouteComponent(() => import("./pages/home/home-page.tsx"), "HomePage"),
});

const dags = createRoute({
  getParentRoute: () => root,
  path: "/dags",
  validateSearch: dagsSearch,
  loader: ({ context }) => void context.client.prefetchInfiniteQuery(dagListQuery("")),
  component: lazyRouteComponent(() => import("./pages/dags/dags-page.tsx"), "DagsPage"),
});

const dag = createRoute({
  getParentRoute: () => root,
  path: "/dags/$dagId",
  validateSearch: panelSearch,
  loader: ({ context, params }) => void context.client.prefetchQuery(dagQuery(params.dagId)),
  component: lazyRouteComponent(() => import("./pages/dag/dag-page.tsx"), "DagPage"),
});

const dagGrid = createRoute({
  getParentRoute: () => dag,
  path: "/",
  loader: ({ context, params }) => void context.client.prefetchInfiniteQuery(gridQuery(params.dagId)),
  component: lazyRouteComponent(() => import("./pages/dag/grid/grid-tab.tsx"), "GridTab"),
});

const dagGraph = createRoute({
  getParentRoute: () => dag,
  path: "/graph",
  component: lazyRouteComponent(() => import("./pages/dag/graph/graph-tab.tsx"), "GraphTab"),
});

const dagRuns = createRoute({
  getParentRoute: () => dag,
  path: "/runs",
  validateSearch: runsSearch,
  component: lazyRouteComponent(() => import("./pages/dag/runs-tab.tsx"), "RunsTab"),
});

const dagCode = createRoute({
  getParentRoute: () => dag,
  path: "/code",
  component: lazyRouteComponent(() => import("./pages/dag/code-tab.tsx"), "CodeTab"),
});

const dagDetails = createRoute({
  getParentRoute: () => dag,
  path: "/details",
  component: lazyRouteComponent(() => import("./pages/dag/details-tab.tsx"), "DetailsTab"),
});

const run = createRoute({
  getParentRoute: () => root,
  path: "/dags/$dagId/runs/$runId",
  validateSearch: panelSearch,
  loader: ({ context, params }) => void context.client.prefetchQuery(runQuery(params.dagId, params.runId)),
  component: lazyRouteComponent(() => import("./pages/run/run-page.tsx"), "RunPage"),
});

const services = createRoute({
  getParentRoute: () => root,
  path: "/services",
  loader: ({ context }) => void context.client.prefetchQuery(serviceListQuery),
  component: lazyRouteComponent(() => import("./pages/services/services-page.tsx"), "ServicesPage"),
});

const service = createRoute({
  getParentRoute: () => root,
  path: "/services/$serviceId",
  validateSearch: serviceSearch,
  loader: ({ context, params }) => void context.client.prefetchQuery(serviceQuery(params.serviceId)),
  component: lazyRouteComponent(() => import("./pages/services/service-page.tsx"), "ServicePage"),
});

const datasets = createRoute({
  getParentRoute: () => root,
  path: "/datasets",
  validateSearch: datasetsSearch,
  loader: ({ context }) => void context.client.prefetchInfiniteQuery(datasetListQuery("", null)),
  component: lazyRouteComponent(() => import("./pages/datasets/datasets-page.tsx"), "DatasetsPage"),
});

const dataset = createRoute({
  getParentRoute: () => root,
  path: "/datasets/$datasetId",
  validateSearch: datasetSearch,
  loader: ({ context, params }) => void context.client.prefetchQuery(datasetQuery(params.datasetId)),
  component: lazyRouteComponent(() => import("./pages/dataset/dataset-page.tsx"), "DatasetPage"),
});

const files = createRoute({
  getParentRoute: () => root,
  path: "/files",
  validateSearch: filesSearch,
  component: lazyRouteComponent(() => import("./pages/files/files-page.tsx"), "FilesPage"),
});

const dashboards = createRoute({
  getParentRoute: () => root,
  path: "/dashboards",
  component: lazyRouteComponent(() => import("./pages/dashboards/dashboards-page.tsx"), "DashboardsPage"),
});

const sql = createRoute({
  getParentRoute: () => root,
  path: "/sql",
  validateSearch: sqlSearch,
  component: lazyRouteComponent(() => import("./pages/sql/sql-page.tsx"), "SqlPage"),
});

const routeTree = root.addChildren([
  home,
  dags,
  dag.addChildren([dagGrid, dagGraph, dagRuns, dagCode, dagDetails]),
  run,
  services,
  service,
  datasets,
  dataset,
  files,
  dashboards,
  sql,
]);

/** The router of the page, reading through `client`. */
export function createAppRouter(client: QueryClient) {
  return createRouter({
    routeTree,
    context: { client },
    defaultPreload: "intent",
    defaultPreloadStaleTime: 0,
    defaultPendingMs: 200,
    defaultPendingComponent: () => <Skeleton />,
    defaultErrorComponent: PageError,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof createAppRouter>;
  }
}
