/** Sealing: AES-256-GCM over a JSON value, bound to the row it belongs to. */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { Json } from "../../dag/spec.ts";
import { QflowError } from "../../errors.ts";
import type { Keyring, SecretKey } from "./keyring.ts";

/** A sealed value as it is stored: format, nonce, tag, ciphertext; and which key opens it. */
export interface Sealed {
  readonly sealed: Buffer;
  readonly keyId: string;
}

/** What identifies the row: its table, its key, and every plain column that must not change unnoticed. */
export type RowIdentity = readonly (string | number | boolean | null)[];

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const HEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES;

/** Seals a value for one row. */
export function seal(key: SecretKey, row: RowIdentity, value: Json): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv("aes-256-gcm", key.bytes, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(boundTo(key.id, row));
  const text = Buffer.concat([cipher.update(JSON.stringify(value), "utf8"), cipher.final()]);
  return { sealed: Buffer.concat([Buffer.from([FORMAT]), nonce, cipher.getAuthTag(), text]), keyId: key.id };
}

/** Opens what {@link seal} made for the same row. Throws SECRET_UNREADABLE, which names the row and nothing else. */
export function unseal(keyring: Keyring, row: RowIdentity, { sealed, keyId }: Sealed): Json {
  const key = keyring.find(keyId);
  const name = `${row[0]} ${row[1]}`;
  if (!key) throw new QflowError("SECRET_UNREADABLE", `${name} is sealed with key ${keyId}, which is not here`);
  if (sealed[0] !== FORMAT || sealed.length < HEAD_BYTES) throw damaged(name);
  const decipher = createDecipheriv("aes-256-gcm", key.bytes, sealed.subarray(1, 1 + NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(boundTo(key.id, row));
  decipher.setAuthTag(sealed.subarray(1 + NONCE_BYTES, HEAD_BYTES));
  try {
    const text = Buffer.concat([decipher.update(sealed.subarray(HEAD_BYTES)), decipher.final()]);
    return JSON.parse(text.toString("utf8")) as Json;
  } catch {
    throw damaged(name);
  }
}

function damaged(name: string): QflowError {
  return new QflowError("SECRET_UNREADABLE", `${name} does not open: its row was changed outside of qflow`, {
    remedy: "Set it anew.",
  });
}

function boundTo(keyId: string, row: RowIdentity): Buffer {
  return Buffer.from(JSON.stringify([FORMAT, keyId, ...row]));
}
