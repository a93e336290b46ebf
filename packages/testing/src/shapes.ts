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

export interface AdminAccountDetails extends AdminAccount {
  /** Null where payments cannot be asked. */
  subscription: { plan: { id: string }; status: string; periodEnd: string | null; limitBytes: number } | null;
}

export interface AuditEntry {
  id: string;
  at: string;
  actorId: string;
  action: string;
  targetId: string | null;
  details: Record<string, string | number | boolean | null>;
  address: string;
  requestId: string;
  outcome: string | null;
}

export interface StoreCheck {
  isSound: boolean;
  checkedAccounts: number;
  differing: { accountId: string; stored: Usage; counted: Usage; isRepaired: boolean }[];
  busy: string[];
  store: { freeBytes: number; totalBytes: number; writable: boolean; quarantined: number };
  nextCursor: string | null;
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

export interface Money {
  amountMinor: number;
  currency: string;
}

export interface Plan {
  id: string;
  name: string;
  limitBytes: number;
  price: Money | null;
  periodDays: number;
}

export type PaymentStatus = 'initiated' | 'pending' | 'success' | 'failed' | 'abandoned' | 'reversed';

export interface Payment extends Money {
  id: string;
  reference: string;
  provider: 'paystack' | 'sandbox';
  planId: string;
  planName: string;
  creditMinor: number;
  status: PaymentStatus;
  history: { status: PaymentStatus; at: string; source: string }[];
  checkoutUrl: string | null;
  createdAt: string;
  settledAt: string | null;
  periodStart: string | null;
  periodEnd: string | null;
}

export interface Subscription {
  plan: Plan;
  status: 'none' | 'active' | 'cancelled';
  periodStart: string | null;
  periodEnd: string | null;
  limitBytes: number;
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

export type LinkRole = 'viewer' | 'dropbox';

export interface Link {
  id: string;
  nodeId: string;
  role: LinkRole;
  hasPassword: boolean;
  expiresAt: string | null;
  maxDownloads: number | null;
  downloads: number;
  downloadsLeft: number | null;
  note: string;
  createdBy: string;
  createdAt: string;
  revokedAt: string | null;
}

/** A link as whoever has it sees it. */
export interface SharedLink {
  name: string;
  kind: 'file' | 'folder';
  size: number | null;
  mime: string | null;
  role: LinkRole;
  hasPassword: boolean;
  expiresAt: string | null;
  note: string;
  downloadsLeft: number | null;
}

export interface SharedNode {
  id: string;
  kind: 'file' | 'folder';
  name: string;
  size: number | null;
  mime: string | null;
  etag: string | null;
  modifiedAt: string;
}
