import { stateDirFor } from '@coffer/deploy/local/state';

export interface AdminConfig {
  readonly stateDir: string;
  readonly url: string | undefined;
  /** An access token, or an API key as `id.secret`. */
  readonly token: string | undefined;
  readonly username: string;
  readonly password: string | undefined;
  /** By https://no-color.org. */
  readonly isColourWanted: boolean;
}

/** An empty variable is as good as none. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): AdminConfig {
  const { COFFER_STATE_DIR, COFFER_URL, COFFER_ADMIN_TOKEN, ADMIN_USERNAME, ADMIN_PASSWORD, NO_COLOR } = env;
  return {
    stateDir: stateDirFor(COFFER_STATE_DIR || undefined),
    url: COFFER_URL || undefined,
    token: COFFER_ADMIN_TOKEN || undefined,
    username: ADMIN_USERNAME || 'admin',
    password: ADMIN_PASSWORD || undefined,
    isColourWanted: (NO_COLOR ?? '') === '',
  };
}

export const configOfProcess = (): AdminConfig => readConfig(process.env);
