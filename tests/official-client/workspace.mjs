// Starts a mock for each test and signs a user in.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Context } from '@osaas/client-core';
import { startMock } from '../programs.mjs';

const redirectUri = 'http://localhost:3000/callback';

/** Starts a mock for the hook. Its environment is not the default one, and its APIs are on a separate site. */
export async function openWorkspace(t, route, ...options) {
  const mock = await startMock('--api-site', 'stage-se', ...options);
  t.after(() => mock.stop());
  Object.assign(process.env, { OSC_PLATFORM: mock.found.OSC_PLATFORM, OSC_ROUTE: route });
  return Workspace.of(mock.found, 'ada/adalovelace');
}

class Workspace {
  static async of(settings, account) {
    return new Workspace(settings, await signIn(settings, account));
  }

  constructor(settings, personalAccessToken) {
    this.settings = settings;
    this.context = new Context({ personalAccessToken, environment: 'stage' });
  }

  /** Signs in another account at the same mock, for example `grace/team`. */
  signInAs(account) {
    return Workspace.of(this.settings, account);
  }

  /** Revokes the app's access, as a user can. */
  async revokeAccess() {
    await connect(this.settings, 'revoke', { token: this.context.getPersonalAccessToken() });
  }
}

async function signIn(settings, account) {
  const verifier = randomBytes(32).toString('base64url');
  const authorize = new URL('/api/connect/authorize', settings.OSC_ISSUER);
  authorize.search = new URLSearchParams({
    response_type: 'code',
    client_id: settings.CLIENT_ID,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
    state: 'state',
  });
  const consent = await fetch(authorize);
  assert.equal(consent.status, 200, await consent.text());
  const decision = { method: 'POST', body: new URLSearchParams({ account, decision: 'allow' }), redirect: 'manual' };
  const callback = new URL((await fetch(authorize, decision)).headers.get('location'));
  assert.equal(callback.searchParams.get('state'), 'state');
  const code = callback.searchParams.get('code');
  const grant = { grant_type: 'authorization_code', code, redirect_uri: redirectUri, code_verifier: verifier };
  const { access_token } = await (await connect(settings, 'token', grant)).json();
  return access_token;
}

async function connect({ OSC_ISSUER, CLIENT_ID, CLIENT_SECRET }, endpoint, form) {
  const body = new URLSearchParams({ ...form, client_id: CLIENT_ID, client_secret: CLIENT_SECRET });
  const answer = await fetch(new URL(`/api/connect/${endpoint}`, OSC_ISSUER), { method: 'POST', body });
  assert.ok(answer.ok, `${endpoint}: ${answer.status}`);
  return answer;
}
