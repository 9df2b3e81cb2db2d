/** Asks the parts of a YARN how they are. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Whether a ResourceManager on 127.0.0.1 takes applications. Never rejects. */
export async function resourcemanagerAnswers(httpPort: number): Promise<boolean> {
  const answer = await ask<{ clusterInfo?: { state?: string } }>(httpPort, "cluster/info");
  return answer?.clusterInfo?.state === "STARTED";
}

/** Whether containers can be run: the NodeManager is healthy and the ResourceManager has heard of it since its start. Never rejects. */
export async function yarnAnswers(ports: { resourcemanagerHttp: number; nodemanagerHttp: number }): Promise<boolean> {
  const node = await ask<{ nodeInfo?: NodeInfo }>(ports.nodemanagerHttp, "node/info");
  if (!node?.nodeInfo?.nodeHealthy) return false;
  const since = node.nodeInfo.nmStartupTime;
  const path = "cluster/nodes?states=RUNNING";
  const answer = await ask<{ nodes?: { node?: KnownNode[] } }>(ports.resourcemanagerHttp, path);
  // A node that is gone stays in the list for a while.
  return answer?.nodes?.node?.some(({ lastHealthUpdate }) => lastHealthUpdate >= since) ?? false;
}

interface NodeInfo {
  readonly nodeHealthy: boolean;
  readonly nmStartupTime: number;
}

interface KnownNode {
  readonly lastHealthUpdate: number;
}

async function ask<T>(httpPort: number, path: string): Promise<T | null> {
  try {
    const url = `http://127.0.0.1:${httpPort}/ws/v1/${path}`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    return answer.ok ? ((await answer.json()) as T) : null;
  } catch {
    return null;
  }
}
