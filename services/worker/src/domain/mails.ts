import { base, compose, type Mail, moment, shown } from './compose.ts';

/** Asked for by somebody who forgot their password, or by somebody else who typed their address. */
export function passwordResetMail(o: { username: string; publicUrl: string; token: string; expiresAt: Date }): Mail {
  const link = `${base(o.publicUrl)}/reset-password?token=${encodeURIComponent(o.token)}`;
  return compose('Set a new password', [
    `Hello ${shown(o.username)},`,
    'somebody, most likely you, asked to set a new password for your account. This link does it, once:',
    { link },
    `It works until ${moment(o.expiresAt)}. A program asks for this token instead:`,
    { code: o.token },
    'If it was not you, do nothing: your password stays as it is.',
  ]);
}

export function passwordChangedMail(o: { username: string; at: Date; publicUrl: string }): Mail {
  return compose('Your password was changed', [
    `Hello ${shown(o.username)},`,
    `a new password was set for your account at ${moment(o.at)}, by a link that we sent to this address. All sessions have ended: log in anew with the new password.`,
    'If it was not you, ask for a link to set another password at once, and see who can read your mail.',
    { link: base(o.publicUrl) },
  ]);
}

export function sharedMail(o: {
  username: string;
  by: string;
  name: string;
  kind: 'file' | 'folder';
  role: 'owner' | 'editor' | 'viewer';
  nodeId: string;
  publicUrl: string;
}): Mail {
  const by = shown(o.by);
  const what = `the ${o.kind} “${shown(o.name)}”`;
  const right = o.role === 'viewer' ? 'You may look at it.' : 'You may look at it and change it.';
  return compose(`${by} shared ${what} with you`, [
    `Hello ${shown(o.username)},`,
    `${by} shared ${what} with you. ${right}`,
    { link: `${base(o.publicUrl)}/v1/nodes/${o.nodeId}` },
  ]);
}
