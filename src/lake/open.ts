/** Opens the store that a location names. */
import type { Connection } from "../dag/operator.ts";
import { QflowError } from "../errors.ts";
import type { FileStore } from "./file-store.ts";
import { LocalStore } from "./local-store.ts";
import { WebHdfsStore } from "./webhdfs-store.ts";

/** Connection that says where the HDFS of the lake answers WebHDFS. */
export const HDFS_CONNECTION = "hdfs_default";

const WEBHDFS_PORT = 9870;

/** What is needed for a location on HDFS. */
export interface StoreAccess {
  /** Looks a connection up. Throws CONNECTION_UNKNOWN. */
  connection(id: string): Connection;
  /** Ends whatever the store is doing. */
  readonly signal?: AbortSignal;
}

/**
 * The store of a folder: an absolute local path, or `hdfs://host:port/folder`, for which the connection `hdfs_default` names user and
 * WebHDFS port. Nothing is asked of the store yet. Throws CONFIG_INVALID and CONNECTION_UNKNOWN.
 */
export function openStore(location: string, access: StoreAccess): FileStore {
  if (!isOnHdfs(location)) return new LocalStore(location);
  const connection = access.connection(HDFS_CONNECTION);
  const [, authority = "", folder = ""] = /^hdfs:\/\/([^/]*)(.*)$/.exec(location) ?? [];
  const rpc = `${connection.host}:${connection.port || 8020}`;
  if (authority !== "" && authority !== rpc) {
    throw new QflowError("CONFIG_INVALID", `${location} is not on the HDFS of ${HDFS_CONNECTION} (${rpc})`);
  }
  return new WebHdfsStore(
    { authority: rpc, folder },
    {
      host: connection.host,
      port: Number(connection.options.http) || WEBHDFS_PORT,
      user: connection.user || "hdfs",
      signal: access.signal,
    },
  );
}

/** Whether a location is a folder of HDFS. */
export function isOnHdfs(location: string): boolean {
  return location.startsWith("hdfs://");
}
