/** Asks the parts of an HDFS how they are, through what they tell of themselves as JSON. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Whether a NameNode on 127.0.0.1 serves its namespace. It may wait for a DataNode yet. Never rejects. */
export async function namenodeAnswers(httpPort: number): Promise<boolean> {
  return (await beanOf(httpPort, "Hadoop:service=NameNode,name=FSNamesystemState")) !== null;
}

/** Whether files can be read and written: the DataNode has registered, and the NameNode is out of safe mode. Never rejects. */
export async function hdfsAnswers(ports: { namenodeHttp: number; datanodeHttp: number }): Promise<boolean> {
  // A NameNode takes a DataNode for alive for a while after its end: the new one must say itself that it is registered.
  const info = await beanOf(ports.datanodeHttp, "Hadoop:service=DataNode,name=DataNodeInfo");
  if (!isRegistered(info?.BPServiceActorInfo)) return false;
  const state = await beanOf(ports.namenodeHttp, "Hadoop:service=NameNode,name=FSNamesystemState");
  return state?.FSState === "Operational" && Number(state.NumLiveDataNodes) > 0;
}

function isRegistered(actors: unknown): boolean {
  if (typeof actors !== "string") return false;
  const parsed = JSON.parse(actors) as { ActorState?: string; BlockPoolID?: string | null }[];
  return parsed.some(({ ActorState, BlockPoolID }) => ActorState === "RUNNING" && BlockPoolID != null);
}

/** The only bean of that name, or null when there is none, or nobody answers. */
async function beanOf(httpPort: number, name: string): Promise<Record<string, unknown> | null> {
  try {
    const url = `http://127.0.0.1:${httpPort}/jmx?qry=${encodeURIComponent(name)}`;
    const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    const { beans } = (await answer.json()) as { beans?: Record<string, unknown>[] };
    return beans?.[0] ?? null;
  } catch {
    return null;
  }
}
