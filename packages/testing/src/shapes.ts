/** The native API's shapes as a client sees them. Written by hand on purpose: a client's view, not the server's. */

export interface Node {
  id: string;
  kind: 'file' | 'folder';
  name: string;
  parentId: string | null;
  ownerId: string;
  size: number | null;
  mime: string | null;
  etag: string;
  sha256: string | null;
  rev: number;
  createdAt: string;
  modifiedAt: string;
  trashedAt: string | null;
  role: 'owner' | 'editor' | 'viewer';
  generalAccess: GeneralAccess;
  properties: Record<string, string>;
}

export type GrantRole = 'viewer' | 'editor';
export type GeneralAccess = 'restricted' | GrantRole;

export interface Grant {
  /** The e-mail address only for those who may share the node. */
  account: { id: string; username: string; email?: string | null };
  role: GrantRole;
  /** The node that carries it. */
  from: string;
  inherited: boolean;
}

export interface Access {
  owner: { id: string; username: string };
  generalAccess: GeneralAccess;
  effectiveGeneralAccess: { access: GeneralAccess; from: string };
  grants: Grant[];
}

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface Account {
  id: string;
  username: string;
  /** Null where the account was made through a door that asks for none. */
  email: string | null;
  role: 'user' | 'operator';
  createdAt: string;
}

export interface AdminAccount extends Account {
  suspended: boolean;
  usage: Usage;
}

export interface Session {
  sessionId: string;
  accessToken: string;
  tokenType: 'Bearer';
  expiresAt: string;
  refreshToken: string;
}

export interface SessionInfo {
  id: string;
  createdAt: string;
  lastUsedAt: string;
  expiresAt: string;
}

export interface ApiKey {
  id: string;
  name: string;
  access: 'full' | 'read-only';
  createdAt: string;
  expiresAt: string | null;
  /** Absent for keys that were made here. */
  door?: string;
  /** In the answer to its making only. */
  secret?: string;
}

export interface Usage {
  usedBytes: number;
  limitBytes: number;
  liveBytes: number;
  trashBytes: number;
  versionBytes: number;
  files: number;
  folders: number;
}

export interface Version {
  id: string;
  size: number;
  etag: string;
  mime: string;
  sha256: string | null;
}

/** RFC 9457, with Coffer's members. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail: string;
  requestId: string;
  errors: { path: string; message: string }[];
}
