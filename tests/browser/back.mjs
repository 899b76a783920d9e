// Back after a sign-out, in a Chromium that keeps pages in memory for Back, as every user's does. The driver's default is a
// switch that turns this off.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { browserOptions, killPrograms, startMock, startSample } from './harness.mjs';

const browser = await chromium.launch({
  ...browserOptions(),
  ignoreDefaultArgs: ['--disable-back-forward-cache'],
});
after(async () => {
  await browser.close();
  killPrograms();
});

for (const sample of ['osc-sample-axum', 'osc-sample-hyper']) {
  describe(sample, () => {
    let mock, app, home;

    before(async () => {
      mock = await startMock();
      app = await startSample(sample, mock.found);
      home = app.found;
    });

    after(async () => {
      await app?.stop();
      await mock?.kill();
    });

    /**
     * Signs in at the dashboard, signs out there and goes back. Returns the page, and `shown`, which tells of each page that
     * appeared whether it came from memory.
     */
    async function backAfterSignOut(context) {
      const shown = [];
      await context.exposeFunction('appeared', (path, persisted) => shown.push(`${path} ${persisted}`));
      await context.addInitScript(() => {
        addEventListener('pageshow', ({ persisted }) => appeared(location.pathname, persisted));
      });
      // A script that fetches something with `no-store` keeps its page out of memory. The sample's script does, but an app
      // need not, and it may not have the answer yet.
      const session = { signed_in: true, workspace: 'adalovelace', user: 'ada', expires_at: 4e9 };
      await context.route('**/auth/session', (route) => route.fulfill({ json: session }));
      const page = await context.newPage();
      await page.goto(`${home}/dashboard`);
      await page.locator('#allow').click();
      await page.locator('#balance').waitFor();
      await page.getByRole('button', { name: 'Sign out', exact: true }).click();
      await page.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
      await page.goBack({ waitUntil: 'commit' });
      return { page, shown };
    }

    test('Back after sign-out shows nothing of the user', async () => {
      const context = await browser.newContext();
      context.setDefaultTimeout(15_000);
      const { page, shown } = await backAfterSignOut(context);
      // The page that Back brings loads again, which leads to the provider.
      await page.locator('#allow').waitFor();
      assert.ok(shown.includes('/dashboard true'), `the browser did not keep the page: ${shown}`);
      await context.close();
    });

    test('without its script the browser shows the kept page', async () => {
      const context = await browser.newContext();
      context.setDefaultTimeout(15_000);
      await context.route('**/session.js', (route) => route.fulfill({ contentType: 'text/javascript', body: '' }));
      const { page, shown } = await backAfterSignOut(context);
      await page.locator('#balance').waitFor();
      assert.ok(shown.includes('/dashboard true'), shown.join());
      await context.close();
    });
  });
}
