/** `npm run bench -- peers --peer NAME`: the workloads of the engine on others, each on a PostgreSQL like ours. */
import { parseArgs } from "node:util";
import type { Figure } from "../figure.ts";
import { airflow } from "./airflow.ts";
import { graphileWorker, pgBoss } from "./job-queues.ts";
import { benchPeer, type Peer } from "./peer.ts";
import { prefect } from "./prefect.ts";

const PEERS: Readonly<Record<string, Peer>> = {
  "graphile-worker": graphileWorker,
  "pg-boss": pgBoss,
  prefect,
  airflow,
};

/** `--peer NAME`, once or more; all of them without it. */
export async function* benchPeers(args: readonly string[]): AsyncGenerator<Figure> {
  const { values } = parseArgs({ args: [...args], options: { peer: { type: "string", multiple: true } } });
  for (const name of values.peer ?? Object.keys(PEERS)) {
    const peer = PEERS[name];
    if (!peer) throw new Error(`there is no peer ${name}: choose of ${Object.keys(PEERS).join(", ")}`);
    for await (const figure of benchPeer(peer)) yield { ...figure, name: `${name}: ${figure.name}` };
  }
}
