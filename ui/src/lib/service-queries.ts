/** What the pages of services read. Services change all the time: what is looked at is fetched again and again. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import type {
  LogPage,
  Service,
  ServiceAttemptCollection,
  ServiceCollection,
  ServiceProgress,
} from "../../../src/api/contract.ts";
import { get, url } from "./http.ts";

const EVERY_MS = 2_000;
const PROGRESS_EVERY_MS = 5_000;
/** Lines that the tail of a log shows. */
const TAIL_LINES = 300;

export const serviceListQuery = queryOptions({
  queryKey: ["services"],
  queryFn: ({ signal }) => get<ServiceCollection>(url(["services"]), signal),
  refetchInterval: EVERY_MS,
});

export const serviceQuery = (serviceId: string) =>
  queryOptions({
    queryKey: ["service", serviceId],
    queryFn: ({ signal }) => get<Service>(url(["services", serviceId]), signal),
    refetchInterval: EVERY_MS,
  });

export const serviceAttemptsQuery = (serviceId: string) =>
  queryOptions({
    queryKey: ["service", serviceId, "attempts"],
    queryFn: ({ signal }) =>
      get<ServiceAttemptCollection>(url(["services", serviceId, "attempts"], { limit: 50 }), signal),
    refetchInterval: PROGRESS_EVERY_MS,
  });

export const serviceProgressQuery = (serviceId: string, minutes: number) =>
  queryOptions({
    queryKey: ["service", serviceId, "progress", minutes],
    queryFn: ({ signal }) => get<ServiceProgress>(url(["services", serviceId, "progress"], { minutes }), signal),
    refetchInterval: PROGRESS_EVERY_MS,
    placeholderData: keepPreviousData,
  });

export const serviceLogQuery = (serviceId: string, attempt: number) =>
  queryOptions({
    queryKey: ["service", serviceId, "log", attempt],
    queryFn: ({ signal }) =>
      get<LogPage>(
        url(["services", serviceId, "attempts", String(attempt), "log"], { from_line: -TAIL_LINES, limit: TAIL_LINES }),
        signal,
      ),
    enabled: attempt > 0,
    refetchInterval: (query) => (query.state.data?.complete ? false : EVERY_MS),
  });
