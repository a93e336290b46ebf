import { uuidv7 } from 'uuidv7';

/** A UUIDv7 (RFC 9562): ids made later sort after those made earlier, which keeps indexes compact. */
export function newId(): string {
  return uuidv7();
}
