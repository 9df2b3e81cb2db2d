/** Files of the lake: the local folder and HDFS behind one interface. */
export type { ByteRange, Bytes, FileFacts, FileStore } from "./file-store.ts";
export { HDFS_CONNECTION, isOnHdfs, openStore, type StoreAccess } from "./open.ts";
