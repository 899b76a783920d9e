// Every page of the samples with the longest names, on narrow and wide screens, in light and dark.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { killPrograms, launchBrowser, shoot, startStage, stopStage } from './harness.mjs';

const longest = 63;
const user = 'u'.repeat(longest);
const workspace = 'w'.repeat(longest);
const name = 'i'.repeat(longest);
const service = `service-${'s'.repeat(longest - 8)}`;

const browser = await launchBrowser();
after(async () => {
  await browser.close();
  killPrograms();
});

for (const sample of ['osc-sample-axum', 'osc-sample-hyper']) {
  describe(sample, () => {
    let stage, platform, home, context, page;

    before(async () => {
      const users = ['--user', `${user}=${workspace}`, '--user', 'bo=team'];
      stage = await startStage(sample, ...users, '--instance-start-ms', '4000');
      ({ platform, home } = stage);
      platform.rename = ['minio-minio', service];
      context = await browser.newContext();
      context.setDefaultTimeout(15_000);
      page = await context.newPage();
    });

    after(async () => {
      await context?.close();
      await stopStage(stage ?? {});
    });

    /** Looks at the page at every width in both colour schemes, and takes pictures. */
    async function fits(what) {
      for (const width of [320, 390, 1280]) {
        await page.setViewportSize({ width, height: 800 });
        const [needed, wide] = await page.evaluate((width) => {
          const isWide = (element) => element.checkVisibility() && element.getBoundingClientRect().right > width + 0.5;
          const names = [...document.querySelectorAll('body *')].filter(isWide).map((element) => element.outerHTML.slice(0, 90));
          return [document.documentElement.scrollWidth, names];
        }, width);
        assert.ok(needed <= width && wide.length === 0, `${what} at ${width} px takes ${needed} px: ${wide.join('\n')}`);
        await shoot(page, `${sample}-longest-${what}-${width}`);
      }
    }

    test('every page fits, and each shows the user and the workspace', async () => {
      await page.goto(home);
      await fits('signed-out');
      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      await page.getByRole('radio', { name: `${user} workspace ${workspace}`, exact: true }).check();
      await page.locator('#allow').click();
      await page.waitForURL(`${home}/dashboard`);
      const isNamed = () => page.locator('header').getByText(`Signed in as ${user} in ${workspace}`).waitFor();
      await isNamed();

      await page.getByRole('textbox', { name: 'Add a service' }).fill(service);
      await page.getByRole('button', { name: 'Add' }).click();
      await page.getByRole('heading', { name: `Instances of ${service}` }).waitFor();
      await page.getByRole('textbox', { name: 'New instance' }).fill(name);
      await page.getByRole('button', { name: 'Create' }).click();
      await page.waitForURL(`${home}/instances/progress?*`);
      // The page loads itself again, and would leave while it is looked at. After 204 a browser stays where it is.
      await page.route('**/instances/progress?*', (route) => route.fulfill({ status: 204 }));
      await isNamed();
      await fits('progress');
      await page.unroute('**/instances/progress?*');

      await page.goto(`${home}/dashboard?${new URLSearchParams({ service })}`);
      await isNamed();
      await page.locator('.instances summary').first().click();
      await page.getByRole('textbox', { name: 'Only you see it.' }).fill('n'.repeat(500));
      await fits('dashboard');

      await page.getByRole('textbox', { name: 'New instance' }).fill(name);
      await page.getByRole('button', { name: 'Create' }).click();
      await page.getByRole('alert').first().waitFor();
      await isNamed();
      await fits('refused');

      for (const [what, path, heading] of [
        ['home', '/', `Welcome back, ${user}`],
        ['account', '/account', 'Your account'],
        ['not-found', `/${'x'.repeat(200)}`, 'Not found'],
        ['no-such-service', `/dashboard?service=${'x'.repeat(128)}`, `Dashboard of ${workspace}`],
      ]) {
        await page.goto(home + path);
        await page.getByRole('heading', { name: heading }).first().waitFor();
        await isNamed();
        await fits(what);
      }

      const answer = page.waitForResponse(`${home}/account/end-all`);
      await page.goto(`${home}/account`);
      await page.locator('input[name=osc_user]').evaluateAll((fields) => fields.forEach((field) => (field.value = 'another')));
      await page.getByRole('button', { name: 'Sign out everywhere' }).click();
      assert.equal((await answer).status(), 409);
      await fits('other-user');
    });
  });
}
