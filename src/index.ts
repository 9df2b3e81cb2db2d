/** The package `qflow`: what a DAG file imports. Importing it has no side effect. */
export type {
  CommonOptions,
  DagBuilder,
  DagOptions,
  Deadline,
  DeclaredSensorOptions,
  GroupOptions,
  GroupRef,
  Inputs,
  InputValues,
  MappedTaskRef,
  Notify,
  OperatorOptions,
  Outcome,
  SensorOptions,
  TaskOptions,
  TaskRef,
} from "./dag/authoring.ts";
export { type Calendar, type CalendarOptions, calendar, type Weekday } from "./dag/calendar.ts";
export { Dag, dag } from "./dag/dag.ts";
export { all, any, type Dataset, type DatasetExpression, type DatasetLike, dataset } from "./dag/datasets.ts";
export { defineOperator } from "./dag/define-operator.ts";
export type { Duration } from "./dag/duration.ts";
export type { Connection, Operator, Program, Sensor, TaskContext, TaskLog, TriggeringEvent } from "./dag/operator.ts";
export type { Ref, Templated } from "./dag/refs.ts";
export type { RetryChoice } from "./dag/retry.ts";
export {
  type CronOptions,
  continuous,
  cron,
  cronInterval,
  type DatasetSchedule,
  every,
  type OnMessageOptions,
  once,
  onDatasets,
  onMessage,
  type Schedule,
  type Timetable,
} from "./dag/schedule.ts";
export { type RestartOptions, Service, type ServiceNotify, type ServiceOptions, service } from "./dag/service.ts";
export type { ServiceSpec } from "./dag/service-spec.ts";
export { Fail, RetryAfter, Skip } from "./dag/signals.ts";
export type { Catchup, DagSpec, Json, TaskSpec, TriggerRule } from "./dag/spec.ts";
export type { TimetableRun } from "./dag/timetable.ts";
export { type ErrorCode, QflowError } from "./errors.ts";
