/** Connections and variables as the tasks of one worker see them: what the environment sets wins over the database. */
import type { Config } from "../config.ts";
import type { Masker } from "../metadata/secrets/mask.ts";
import { isSecretName, secretsInside } from "../metadata/secrets/names.ts";
import { hiddenOf, type TaskSecrets } from "../metadata/secrets/task-secrets.ts";

/** What runners and the host are told; never the key, never the database. */
export type Secrets = Omit<TaskSecrets, "hidden">;

/** What a store needs. */
export interface SecretStoreParts {
  config: Pick<Config, "connections" | "variables">;
  /** What the database holds, opened. */
  read(): Promise<TaskSecrets>;
  masker: Masker;
  warn(message: string): void;
}

/** Connections and variables of the environment alone. */
export function secretsOfEnvironment({ connections, variables }: SecretStoreParts["config"]): Secrets {
  return { version: -1, connections, variables, unreadable: [] };
}

/** Keeps them up to date: a claim tells the version that the database has. */
export class SecretStore {
  readonly #parts: SecretStoreParts;
  #current: Secrets;

  constructor(parts: SecretStoreParts) {
    this.#parts = parts;
    this.#current = secretsOfEnvironment(parts.config);
    parts.masker.add(hiddenOf(Object.values(parts.config.connections)));
    parts.masker.add(hiddenVariables(parts.config.variables));
  }

  get current(): Secrets {
    return this.#current;
  }

  /** Reads again unless what is held is that of `version`. Throws what the database throws. */
  async refresh(version: number): Promise<void> {
    if (this.#current.version === version) return;
    const stored = await this.#parts.read();
    const { connections, variables } = this.#parts.config;
    this.#parts.masker.add(stored.hidden);
    for (const name of stored.unreadable) {
      if (!this.#current.unreadable.includes(name))
        this.#parts.warn(`${name} does not open with the keys of this machine`);
    }
    this.#current = {
      version: stored.version,
      connections: { ...stored.connections, ...connections },
      variables: { ...stored.variables, ...variables },
      unreadable: stored.unreadable,
    };
  }
}

function hiddenVariables(variables: Readonly<Record<string, string>>): string[] {
  return Object.entries(variables).flatMap(([key, value]) => (isSecretName(key) ? [value] : secretsInside(value)));
}
