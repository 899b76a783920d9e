// Two users in one browser. The second signs in while pages of the first are still open in other tabs.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { killPrograms, launchBrowser, shoot, startStage, stopStage } from './harness.mjs';

const browser = await launchBrowser();
after(async () => {
  await browser.close();
  killPrograms();
});

const minute = 60_000;

for (const sample of ['osc-sample-axum', 'osc-sample-hyper']) {
  describe(sample, () => {
    let stage, platform, home, contexts;

    before(async () => {
      stage = await startStage(sample);
      ({ platform, home } = stage);
    });

    after(async () => {
      await stopStage(stage ?? {});
    });

    beforeEach(() => (contexts = []));
    afterEach(() => Promise.all(contexts.map((context) => context.close())));

    async function openBrowser(options = {}) {
      const context = await browser.newContext(options);
      contexts.push(context);
      context.setDefaultTimeout(15_000);
      return context;
    }

    async function openTab(context, path = '/dashboard') {
      const page = await context.newPage();
      await page.goto(home + path);
      return page;
    }

    async function allow(page, user, workspace) {
      await page.getByRole('radio', { name: `${user} workspace ${workspace}`, exact: true }).check();
      await page.locator('#allow').click();
      await page.waitForURL((url) => url.origin === home);
    }

    async function signIn(context, user = 'ada', workspace = 'adalovelace') {
      const page = await openTab(context);
      await allow(page, user, workspace);
      await page.getByText(`Signed in as ${user} in ${workspace}`).waitFor();
      return page;
    }

    async function switchTo(page, user, workspace) {
      await page.getByRole('link', { name: 'Switch workspace or account' }).click();
      await allow(page, user, workspace);
      await page.getByText(`Signed in as ${user} in ${workspace}`).waitFor();
    }

    const instancesOf = async (page) =>
      (await (await page.request.get(`${home}/api/instances?service=eyevinn-test-adserver`)).json()).map(({ name }) => name);

    const workspaces = [
      ['ada', 'adalovelace'],
      ['grace', 'gracehopper'],
    ];

    /** Returns everything that a form could have changed, as each user sees it in a browser of their own. */
    async function contents() {
      const found = [];
      for (const [user, workspace] of workspaces) {
        const page = await signIn(await openBrowser(), user, workspace);
        const services = await page.locator('.services a').allTextContents();
        const note = await page.getByRole('textbox', { name: 'Only you see it.' }).inputValue();
        found.push({ services, note, instances: await instancesOf(page) });
        await page.request.get(`${home}/api/session`);
        await page.getByRole('button', { name: 'Sign out' }).click();
        await page.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
      }
      return found;
    }

    const forms = {
      '/instances/create': async (page) => {
        await page.getByRole('textbox', { name: 'New instance' }).fill('stolen');
        await page.getByRole('button', { name: 'Create' }).click();
      },
      '/instances/remove': async (page) => {
        await page.locator('.instances summary').first().click();
        await page.getByRole('button', { name: /^Remove .* for good$/ }).first().click();
      },
      '/services/add': async (page) => {
        await page.getByRole('textbox', { name: 'Add a service' }).fill('minio-minio');
        await page.getByRole('button', { name: 'Add' }).click();
      },
      '/note': async (page) => {
        await page.getByRole('textbox', { name: 'Only you see it.' }).fill('a note of ada');
        await page.getByRole('button', { name: 'Save' }).click();
      },
      '/account/end-all': async (page) => page.getByRole('button', { name: 'Sign out everywhere' }).click(),
      '/account/end': async (page) => page.getByRole('button', { name: /^End session of/ }).first().click(),
    };

    for (const javaScriptEnabled of [false, true]) {
      test(`buttons of the first user's pages do nothing, scripts ${javaScriptEnabled ? 'stopped' : 'off'}`, async () => {
        const context = await openBrowser({ javaScriptEnabled });
        // With its script, the page would be gone before anybody could click.
        if (javaScriptEnabled) await context.route('**/session.js', (route) => route.abort());
        const elsewhere = await signIn(await openBrowser());
        await signIn(context);
        const tabs = [];
        for (const [path, click] of Object.entries(forms)) {
          tabs.push([path, click, await openTab(context, path.startsWith('/account') ? '/account' : '/dashboard')]);
        }
        const second = await openTab(context);
        await switchTo(second, 'grace', 'gracehopper');
        const before = await contents();

        for (const [path, click, page] of tabs) {
          const asked = platform.asked.length;
          const answered = page.waitForResponse(home + path);
          await click(page);
          assert.equal((await answered).status(), 409, path);
          await page.getByText('You are signed in as grace (gracehopper) now').waitFor();
          assert.deepEqual(platform.asked.slice(asked), [], `${path} reached the platform`);
        }
        assert.deepEqual(await contents(), before);
        for (const page of [second, elsewhere]) {
          assert.equal((await page.request.get(`${home}/api/session`)).status(), 200, 'both users are still signed in');
        }

        const [[, , refused], [, , another]] = tabs;
        await shoot(refused, `${sample}-other-user`);
        await refused.getByRole('link', { name: 'Go on as grace (gracehopper)' }).click();
        await refused.getByRole('heading', { name: 'Dashboard of gracehopper' }).waitFor();
        await another.getByRole('link', { name: 'Sign in with another account' }).click();
        await allow(another, 'ada', 'team');
        await another.getByRole('heading', { name: 'Dashboard of team' }).waitFor();
      });
    }

    test('a form without its user does nothing', async () => {
      const page = await signIn(await openBrowser());
      const own = await page.locator('input[name=osc_user]').first().getAttribute('value');
      const post = (form) =>
        page.request.post(`${home}/services/add`, { data: form, headers: { origin: home, 'content-type': 'application/x-www-form-urlencoded' } });
      const wanted = 'service=minio-minio';
      const [right, wrong] = [`osc_user=${encodeURIComponent(own)}`, `osc_user=${encodeURIComponent(`${own}x`)}`];
      for (const form of ['', 'osc_user=', wrong, right.toUpperCase(), `${wrong}&${right}`, `${right}&${wrong}`]) {
        const answer = await post(`${form}&${wanted}`);
        assert.ok([400, 409].includes(answer.status()), `“${form}”: ${answer.status()}`);
      }
      await page.reload();
      assert.equal(await page.locator('.services').getByText('minio-minio').count(), 0);
    });

    test("the first user's pages turn into the second user's by themselves", async () => {
      const context = await openBrowser();
      const dashboard = await signIn(context);
      await dashboard.goto(`${home}/dashboard?service=eyevinn-test-adserver`);
      const account = await openTab(context, '/account');
      const second = await openTab(context);
      await switchTo(second, 'grace', 'gracehopper');
      for (const page of [dashboard, account]) {
        await page.getByText('Signed in as grace in gracehopper').waitFor();
        assert.equal(await page.getByText('adalovelace').count(), 0);
      }
      assert.equal(dashboard.url(), `${home}/dashboard?service=eyevinn-test-adserver`);
      assert.equal(account.url(), `${home}/account`);
      await switchTo(account, 'grace', 'team');
      await dashboard.getByRole('heading', { name: 'Dashboard of team' }).waitFor();
    });

    test('a page that answered a form loads as a page, and sends nothing again', async () => {
      const context = await openBrowser();
      const first = await signIn(context);
      await first.locator('form.add').evaluate((form) => (form.noValidate = true));
      await first.getByRole('textbox', { name: 'Add a service' }).fill('nobody-nothing');
      await first.getByRole('button', { name: 'Add' }).click();
      await first.getByText('no such service').waitFor();
      const posts = [];
      first.on('request', (request) => request.method() === 'POST' && posts.push(request.url()));
      await switchTo(await openTab(context), 'grace', 'gracehopper');
      await first.getByRole('heading', { name: 'Dashboard of gracehopper' }).waitFor();
      assert.deepEqual(posts, []);
    });

    test('a sign-out in one tab empties the others, and begins no sign-in', async () => {
      const context = await openBrowser();
      const first = await signIn(context);
      const second = await openTab(context, '/account');
      const asked = [];
      first.on('request', (request) => request.isNavigationRequest() && asked.push(new URL(request.url()).pathname));
      await second.getByRole('button', { name: 'Sign out', exact: true }).click();
      await first.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
      assert.equal(first.url(), `${home}/`);
      assert.deepEqual(asked, ['/']);
      assert.equal(await first.getByText('adalovelace').count(), 0);
    });

    test('a page hides before the next one has arrived', async () => {
      const context = await openBrowser();
      const first = await signIn(context);
      const hidden = first.waitForEvent('console', (message) => message.text() === 'hidden');
      await first.evaluate(() => {
        const { documentElement: root } = document;
        new MutationObserver(() => root.hidden && console.log('hidden')).observe(root, { attributes: true });
      });
      // The next page never arrives.
      await first.route(`${home}/`, () => {});
      const second = await openTab(context);
      await second.getByRole('button', { name: 'Sign out' }).click();
      await hidden;
    });

    for (const [how, notice] of [
      ['when its tab becomes visible', (page) => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })))],
      ['within a minute while its tab is visible', (page) => page.clock.runFor(minute)],
    ]) {
      test(`a page learns of a sign-out in another browser ${how}`, async () => {
        const context = await openBrowser();
        await context.clock.install();
        const page = await signIn(context);
        const elsewhere = await signIn(await openBrowser());
        await elsewhere.goto(`${home}/account`);
        await elsewhere.getByRole('button', { name: 'Sign out everywhere' }).click();
        await elsewhere.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
        assert.ok(await page.locator('#balance').isVisible());
        await notice(page);
        await page.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
        assert.equal(page.url(), `${home}/`);
      });
    }

    test('an error of a proxy in place of the session leaves the page as it is', async () => {
      const context = await openBrowser();
      const page = await signIn(context);
      const limited = { status: 429, contentType: 'application/json', body: '{"message":"API rate limit exceeded"}' };
      await context.route('**/auth/session', (route) => route.fulfill(limited));
      let loads = 0;
      page.on('load', () => (loads += 1));
      for (const ask of [() => page.reload(), () => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange', { bubbles: true })))]) {
        const answered = page.waitForResponse('**/auth/session').then((response) => response.finished());
        await ask();
        await answered;
      }
      assert.ok(await page.getByRole('heading', { name: 'Dashboard of adalovelace' }).isVisible());
      assert.deepEqual([page.url(), loads], [`${home}/dashboard`, 1]);
    });

    test('the same user who signs in again keeps the pages, and their buttons work', async () => {
      const context = await openBrowser();
      const first = await signIn(context);
      let loads = 0;
      first.on('load', () => (loads += 1));
      const second = await openTab(context);
      await switchTo(second, 'ada', 'adalovelace');
      await first.getByRole('textbox', { name: 'Only you see it.' }).fill('still mine');
      await first.getByRole('button', { name: 'Save' }).click();
      await first.waitForLoadState();
      await first.waitForURL(`${home}/dashboard**`);
      assert.equal(await first.getByRole('textbox', { name: 'Only you see it.' }).inputValue(), 'still mine');
      assert.equal(loads, 1, 'only the form loaded a page');
    });
  });
}
