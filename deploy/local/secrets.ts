import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import path from 'node:path';

export interface Secrets {
  internalSecret: string;
  /** 32 bytes, base64. */
  keyEncryptionKey: string;
  /** The first operator's password, kept only until the first start has succeeded and it was handed out. */
  adminPassword?: string;
}

const fileIn = (stateDir: string): string => path.join(stateDir, 'secrets.json');

/** The secrets of this state folder, made at its first use. */
export function loadSecrets(stateDir: string): Secrets {
  let text: string;
  try {
    text = readFileSync(fileIn(stateDir), 'utf8');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    const secrets: Secrets = {
      internalSecret: randomBytes(36).toString('base64url'),
      keyEncryptionKey: randomBytes(32).toString('base64'),
      adminPassword: randomBytes(12).toString('base64url'),
    };
    saveSecrets(stateDir, secrets);
    return secrets;
  }
  return parse(text, fileIn(stateDir));
}

/** Replaces the file in one step and durably: data encrypted with a lost key is lost. */
export function saveSecrets(stateDir: string, secrets: Secrets): void {
  const file = fileIn(stateDir);
  const temporary = `${file}.${process.pid}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeSync(fd, `${JSON.stringify(secrets, null, 2)}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  const folder = openSync(stateDir, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function parse(text: string, file: string): Secrets {
  const broken = new Error(`${file} is damaged: restore it from a backup, for the API keys are encrypted with its key`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw broken;
  }
  if (typeof value !== 'object' || value === null) throw broken;
  if (!('internalSecret' in value) || typeof value.internalSecret !== 'string') throw broken;
  if (!('keyEncryptionKey' in value) || typeof value.keyEncryptionKey !== 'string') throw broken;
  const { internalSecret, keyEncryptionKey } = value;
  const adminPassword = 'adminPassword' in value ? value.adminPassword : undefined;
  return { internalSecret, keyEncryptionKey, ...(typeof adminPassword === 'string' ? { adminPassword } : {}) };
}
