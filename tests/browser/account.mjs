// The account page of each sample: one user in several browsers.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { killPrograms, launchBrowser, shoot, startMock, startSample } from './harness.mjs';

const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0';
const safari =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Mobile/15E148 Safari/604.1';

const browser = await launchBrowser();
after(async () => {
  await browser.close();
  killPrograms();
});

for (const [sample, store] of [
  ['osc-sample-axum', 'memory:'],
  ['osc-sample-hyper', 'sqlite:sessions.db'],
]) {
  describe(`${sample} with ${store}`, () => {
    let folder, mock, app, home, contexts;

    before(async () => {
      folder = mkdtempSync(path.join(tmpdir(), 'account-'));
      mock = await startMock();
      app = await startSample(sample, { ...mock.found, SESSION_STORE: store }, folder);
      home = app.found;
    });

    after(async () => {
      await app?.stop();
      await mock?.kill();
      rmSync(folder, { recursive: true });
    });

    beforeEach(() => (contexts = []));

    // Each test leaves no session behind, because the next one counts them.
    afterEach(async () => {
      for (const context of contexts) {
        await submit(context.request, '/account/end-all', {});
        await context.close();
      }
    });

    /** Returns the page of a browser of its own, in which the user is signed in. */
    async function signIn(user, userAgent) {
      const context = await browser.newContext({ userAgent });
      contexts.push(context);
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      await page.goto(home);
      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      await allow(page, user);
      return page;
    }

    async function allow(page, user) {
      await page.getByRole('radio', { name: `${user} workspace team`, exact: true }).check();
      await page.locator('#allow').click();
      await page.waitForURL(`${home}/dashboard`);
    }

    /** Posts a form of the account page, if the user is signed in. */
    async function submit(request, path, fields) {
      const page = await (await request.get(`${home}/account`)).text();
      const [, osc_user = ''] = page.match(/name="osc_user" value="([^"]*)"/) ?? [];
      return request.post(home + path, { form: { osc_user, ...fields }, headers: { origin: home } });
    }

    async function openAccount(page) {
      await page.getByRole('link', { name: 'Account', exact: true }).click();
      await page.getByRole('heading', { name: 'Your account' }).waitFor();
    }

    const rows = (page) => page.locator('.sessions > li');
    const status = async (page) => (await page.request.get(`${home}/api/session`)).status();

    /** The user's next click. */
    async function isAskedToSignIn(page) {
      await page.getByRole('link', { name: 'Dashboard' }).click();
      await page.waitForURL(`${mock.found.OSC_ISSUER}/**`);
    }

    test('a user sees the sessions of all browsers and ends one of them', async () => {
      const here = await signIn('ada');
      const there = await signIn('ada', firefox);
      const grace = await signIn('grace');
      await openAccount(here);
      const facts = await here.locator('.facts').innerText();
      assert.match(facts, /ada[^]*team/);
      assert.equal(await rows(here).count(), 2);
      const own = rows(here).filter({ hasText: 'This browser' });
      assert.match(await own.innerText(), /Chrome on Linux[^]*Signed in just now, last used just now/);
      assert.equal(await own.getByRole('button').count(), 0);
      const other = rows(here).filter({ hasText: 'Firefox on Windows' });
      await openAccount(grace);
      assert.equal(await rows(grace).count(), 1);

      await other.getByRole('button', { name: 'End session of Firefox on Windows' }).click();
      await other.waitFor({ state: 'detached' });
      assert.equal(await rows(here).count(), 1);
      await isAskedToSignIn(there);
      assert.deepEqual([await status(here), await status(grace)], [200, 200]);
      // The other browser can sign in again.
      await allow(there, 'ada');
      await here.reload();
      assert.equal(await rows(here).count(), 2);
    });

    test('signing out everywhere ends every session of the user, and nobody else', async () => {
      const here = await signIn('ada');
      const others = [await signIn('ada', firefox), await signIn('ada', safari)];
      const grace = await signIn('grace');
      await openAccount(here);
      assert.equal(await rows(here).count(), 3);
      await here.getByRole('button', { name: 'Sign out everywhere' }).click();
      await here.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
      for (const page of others) await isAskedToSignIn(page);
      assert.equal(await status(here), 401);
      assert.equal(await status(grace), 200);
      assert.match(app.output, /signed out/);
    });

    test('an id of another user or of nobody ends nothing', async () => {
      const ada = await signIn('ada');
      const there = await signIn('ada', firefox);
      const grace = await signIn('grace');
      await openAccount(ada);
      const id = await rows(ada).locator('input[name=id]').getAttribute('value');
      for (const [page, form] of [
        [grace, { id }],
        [ada, { id: 'nobody' }],
        [ada, { id: '' }],
      ]) {
        const answer = await submit(page.request, '/account/end', form);
        assert.equal(answer.status(), 200, await answer.text());
      }
      assert.deepEqual([await status(ada), await status(there), await status(grace)], [200, 200, 200]);
    });

    test('the page fits every screen in light and dark', async () => {
      const page = await signIn('ada');
      await signIn('ada', firefox);
      await signIn('ada', safari);
      await openAccount(page);
      await page.getByText(/^Signed in as/).waitFor();
      for (const width of [320, 390, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        for (const colorScheme of ['light', 'dark']) {
          await page.emulateMedia({ colorScheme });
          const [needed, header] = await page.evaluate(() => [
            document.documentElement.scrollWidth,
            document.querySelector('header').getBoundingClientRect().height,
          ]);
          assert.ok(needed <= width && header < 160, `at ${width} px it takes ${needed} px, its header ${header} px`);
        }
        await shoot(page, `${sample}-account-${width}`);
      }
    });
  });
}
