// A restart of each sample, as a user with a browser sees it. The provider and its client outlive the sample.

import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { killPrograms, launchBrowser, startMock, startSample } from './harness.mjs';

const browser = await launchBrowser();
let mock;

before(async () => {
  mock = await startMock('--token-ttl', '4');
});

after(async () => {
  await browser.close();
  await mock?.kill();
  killPrograms();
});

for (const sample of ['osc-sample-axum', 'osc-sample-hyper']) {
  describe(sample, () => {
    let folder, app, home, context, page;

    beforeEach(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'restart-'));
      context = await browser.newContext();
      context.setDefaultTimeout(15_000);
      page = await context.newPage();
    });

    afterEach(async () => {
      await context.close();
      await app?.kill();
      rmSync(folder, { recursive: true });
    });

    async function start(env) {
      app = await startSample(sample, { ...mock.found, ...env }, folder);
      home = app.found;
    }

    /** The sample gets no chance to write anything, and starts again at the same port. */
    async function killAndStart(env) {
      await app.kill();
      await start({ ...env, BIND: `127.0.0.1:${new URL(home).port}` });
    }

    async function signIn() {
      await page.goto(home);
      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      await page.locator('#allow').click();
      await page.waitForURL(`${home}/dashboard`);
    }

    const expiry = async () => (await (await page.request.get(`${home}/api/session`)).json()).expires_at;

    async function assertSignedIn() {
      assert.equal((await page.goto(`${home}/dashboard`)).status(), 200);
      assert.equal(page.url(), `${home}/dashboard`);
      await page.locator('#balance').waitFor();
    }

    /** Uses the page until the next token is there. */
    async function browseOverARefresh() {
      const first = await expiry();
      while ((await expiry()) === first) await assertSignedIn();
    }

    test('a restart signs nobody out, and the sessions are refreshed afterwards', { timeout: 60_000 }, async () => {
      await start({ SESSION_STORE: '' });
      assert.match(app.output, /sessions\.db/);
      await signIn();
      await killAndStart({ SESSION_STORE: '' });
      await assertSignedIn();
      await browseOverARefresh();
      // The token that the killed process held last is used up by now.
      await killAndStart({ SESSION_STORE: '' });
      await assertSignedIn();
      await browseOverARefresh();
      assert.ok(readdirSync(folder).includes('sessions.db'));

      const session = (await context.cookies(home)).find(({ name }) => name.startsWith('osc_session'));
      await page.goto(home);
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
      await killAndStart({ SESSION_STORE: '' });
      await context.addCookies([session]);
      assert.equal((await page.request.get(`${home}/api/session`)).status(), 401);
    });

    test('without a store, a restart asks for a new sign-in', async () => {
      await start({ SESSION_STORE: 'memory:' });
      await signIn();
      await killAndStart({ SESSION_STORE: 'memory:' });
      await page.goto(`${home}/dashboard`);
      await page.locator('#allow').click();
      await page.waitForURL(`${home}/dashboard`);
      assert.deepEqual(readdirSync(folder), []);
    });

    test('on OSC, a sample without a store says what a restart costs', async () => {
      await start({ SESSION_STORE: '', PORT: '0' });
      assert.match(app.output, /WARN.*SESSION_STORE is not set.*a restart signs everybody out/);
      assert.deepEqual(readdirSync(folder), []);
    });

    test('a store that cannot be used is an error at the start, without its password', async () => {
      for (const [env, expected] of [
        [{ SESSION_STORE: 'mysql://ada:hunter2@localhost' }, /error: SESSION_STORE \/ store_url is the URL of no session store/],
        [{ SESSION_STORE: 'sqlite:missing/sessions.db' }, /error: SESSION_STORE.* names a directory that does not exist/],
        [{ SESSION_STORE: '', REDIS_URL: 'http://:hunter2@localhost' }, /error: REDIS_URL is not the URL of a Redis server/],
        [{ SESSION_STORE: '', CLIENT_SECRET: 'short' }, /error: COOKIE_KEY.*is not set.*SESSION_STORE/],
      ]) {
        await assert.rejects(start(env), (error) => {
          assert.match(error.message, expected);
          assert.ok(!error.message.includes('hunter2'), error.message);
          return true;
        });
      }
    });
  });
}
