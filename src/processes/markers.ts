/** Environment variables by which processes are found again, whoever started them. */

/** Names the QFLOW_HOME a process belongs to: the id of that home. */
export const INSTANCE_MARKER = "QFLOW_INSTANCE";
/** Names the attempt a process works for, by its token or its id. */
export const ATTEMPT_MARKER = "QFLOW_ATTEMPT";
/** Names the service a process works for: `<id of the database>/<service>`. */
export const SERVICE_MARKER = "QFLOW_SERVICE";
/** Names the worker a process belongs to: `<pid>:<start time>:<random>`, for a process may hold several. */
export const WORKER_MARKER = "QFLOW_WORKER";
/** Names the host process whose operators started a process. */
export const HOST_MARKER = "QFLOW_HOST_PROCESS";
