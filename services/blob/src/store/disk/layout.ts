import path from 'node:path';

const DIGEST = /^[0-9a-f]{64}$/;

/**
 * Where things lie below the blob directory:
 *
 *     v1/sha256/ab/cd/<the other 60 digits>
 *     v1/tmp/<owner>/<number>             being written; `owner.json` says whose it is
 *     v1/removing/<digest>.<owner>.<n>    moved aside for removal, looked at once more, then unlinked or put back
 *     v1/quarantine/<digest>.<time>.<n>   damaged; kept for the operator
 *     v1/state/<name>.json
 */
export class Layout {
  readonly root: string;
  readonly blobs: string;
  readonly temp: string;
  readonly removing: string;
  readonly quarantine: string;
  readonly state: string;

  constructor(blobDir: string) {
    this.root = path.join(path.resolve(blobDir), 'v1');
    this.blobs = path.join(this.root, 'sha256');
    this.temp = path.join(this.root, 'tmp');
    this.removing = path.join(this.root, 'removing');
    this.quarantine = path.join(this.root, 'quarantine');
    this.state = path.join(this.root, 'state');
  }

  get folders(): string[] {
    return [this.root, this.blobs, this.temp, this.removing, this.quarantine, this.state];
  }

  /** The two levels of folders above a blob. */
  outer(digest: string): string {
    return `${this.blobs}/${digest.slice(0, 2)}`;
  }

  inner(digest: string): string {
    return `${this.blobs}/${digest.slice(0, 2)}/${digest.slice(2, 4)}`;
  }

  blob(digest: string): string {
    return `${this.inner(digest)}/${digest.slice(4)}`;
  }
}

export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}
