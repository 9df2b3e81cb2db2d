/** What the sandbox and its parent say to each other. */
import type { ServiceSpec } from "./service-spec.ts";
import type { DagSpec } from "./spec.ts";

/** Why a DAG file could not be loaded. `line` and `column` are 1-based, null where unknown. */
export interface ImportError {
  /** Absolute path of the file that holds the mistake: the DAG file, or one that it imports. */
  readonly file: string;
  readonly line: number | null;
  readonly column: number | null;
  readonly message: string;
  readonly code: string;
  readonly remedy: string;
}

/** Parent → sandbox: evaluate this bundle. */
export interface EvaluateRequest {
  readonly id: number;
  /** Absolute path of the DAG file the bundle was made of. */
  readonly file: string;
  readonly code: string;
}

/** What a bundle declares. */
export type Evaluation =
  | { readonly ok: true; readonly dags: DagSpec[]; readonly services: ServiceSpec[] }
  | { readonly ok: false; readonly error: ImportError };

/** Sandbox → parent, after a first `"ready"`. `tainted`: the file changed what other files would see, so the process must not be used again. */
export interface EvaluateResponse {
  readonly id: number;
  readonly evaluation: Evaluation;
  readonly tainted: boolean;
}
