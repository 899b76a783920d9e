// A user with a browser, in front of each sample. The app is on localhost and the provider on 127.0.0.1, so
// the redirect back from the provider is a cross-site navigation, as in production.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { killPrograms, launchBrowser, shoot, startMock, startSample, startStage, stopStage } from './harness.mjs';

const browser = await launchBrowser();
after(async () => {
  await browser.close();
  killPrograms();
});

for (const sample of ['osc-sample-axum', 'osc-sample-hyper']) {
  describe(sample, () => {
    let stage, mock, platform, app, home, context, page;

    before(async () => {
      stage = await startStage(sample);
      ({ mock, platform, app, home } = stage);
    });

    after(async () => {
      await stopStage(stage ?? {});
    });

    beforeEach(async () => {
      context = await browser.newContext();
      context.setDefaultTimeout(15_000);
      page = await context.newPage();
    });

    afterEach(() => context.close());

    async function signIn(page, user = 'ada', workspace = 'adalovelace') {
      await page.goto(home);
      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      await page.getByRole('radio', { name: `${user} workspace ${workspace}`, exact: true }).check();
      await page.locator('#allow').click();
      await page.waitForURL(`${home}/dashboard`);
    }

    async function sessionCookie() {
      const cookies = await context.cookies(home);
      return cookies.find(({ name }) => name.startsWith('osc_session'));
    }

    async function createInstance(page, name) {
      await page.getByRole('textbox', { name: 'New instance' }).fill(name);
      await page.getByRole('button', { name: 'Create' }).click();
    }

    const isSignedIn = async () => (await page.request.get(`${home}/api/session`)).status() === 200;

    test('signs in by clicking, uses the workspace, signs out', async () => {
      await page.goto(home);
      assert.equal(await isSignedIn(), false);
      await shoot(page, `${sample}-signed-out`);

      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      await page.locator('#allow').waitFor();
      assert.ok(page.url().startsWith(mock.found.OSC_ISSUER), page.url());
      await shoot(page, `${sample}-consent`);

      await page.locator('#allow').click();
      await page.waitForURL(`${home}/dashboard`);
      const balance = await page.request.get(`${home}/api/balance`);
      const { tokens } = await balance.json();
      assert.equal(await page.locator('#balance').textContent(), String(tokens));

      const session = await page.request.get(`${home}/api/session`);
      const { expires_at } = await session.json();
      assert.ok(expires_at > Date.now() / 1000, `expires_at is ${expires_at}`);

      const name = `browser${Date.now()}`;
      await createInstance(page, name);
      const row = page.locator('.instances li').filter({ hasText: name });
      await row.waitFor();
      const service = await page.locator('.services a[aria-current]').textContent();
      const instances = () => page.request.get(`${home}/api/instances`, { params: { service } }).then((r) => r.json());
      assert.ok((await instances()).some((instance) => instance.name === name));
      await shoot(page, `${sample}-dashboard`);

      await createInstance(page, name);
      await page.getByRole('alert').waitFor();
      await shoot(page, `${sample}-name-taken`);

      await row.getByText('Remove', { exact: true }).click();
      await row.getByRole('button', { name: `Remove ${name} for good` }).click();
      await row.waitFor({ state: 'detached' });
      assert.ok(!(await instances()).some((instance) => instance.name === name));

      await page.goto(home);
      await shoot(page, `${sample}-signed-in`);
      const cookie = await sessionCookie();
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
      assert.equal(await sessionCookie(), undefined);
      assert.equal(await isSignedIn(), false);

      // Back shows nothing of the workspace, and a copy of the cookie is useless.
      await page.goBack();
      assert.equal(await page.locator('#balance').count(), 0);
      await context.addCookies([cookie]);
      assert.equal(await isSignedIn(), false);
    });

    test('every service can be picked', async () => {
      await signIn(page);
      await platform.activate('minio-minio', 'valkey-io-valkey');
      await page.reload();
      const services = await page.locator('.services a').allTextContents();
      assert.ok(services.length >= 3);
      for (const service of services) {
        await page.locator('.services').getByRole('link', { name: service, exact: true }).click();
        await page.getByRole('heading', { name: `Instances of ${service}` }).waitFor();
      }
    });

    test('every page fits a narrow screen', async () => {
      await page.setViewportSize({ width: 320, height: 640 });
      const fits = async () => {
        await page.getByText(/^(Signed in as|Not signed in)/).waitFor();
        const [width, height] = await page.evaluate(() => [
          document.documentElement.scrollWidth,
          document.querySelector('header').getBoundingClientRect().height,
        ]);
        assert.ok(width <= 320 && height < 160, `${page.url()}: ${width} px wide, its header ${height} px high`);
      };
      await page.goto(home);
      await fits();
      await signIn(page, 'grace', 'gracehopper');
      await fits();
      await shoot(page, `${sample}-narrow`);
      await page.goto(home);
      await fits();
    });

    test('two users see their own workspace', async () => {
      await signIn(page, 'ada', 'adalovelace');
      await createInstance(page, 'adasown');
      await page.getByText('adasown', { exact: true }).waitFor();

      const other = await browser.newContext();
      const grace = await other.newPage();
      await signIn(grace, 'grace', 'gracehopper');
      await createInstance(grace, 'gracesown');
      await grace.getByText('gracesown', { exact: true }).waitFor();
      assert.equal(await grace.getByText('adasown').count(), 0);

      await page.reload();
      await page.getByText('adasown', { exact: true }).waitFor();
      assert.equal(await page.getByText('gracesown').count(), 0);
      await other.close();
    });

    test('two users share the workspace that both have chosen', async () => {
      await signIn(page, 'ada', 'team');
      await createInstance(page, 'ours');
      await page.getByText('ours', { exact: true }).waitFor();
      const other = await browser.newContext();
      const grace = await other.newPage();
      await signIn(grace, 'grace', 'team');
      await grace.getByText('ours', { exact: true }).waitFor();
      await other.close();
    });

    test('scripts see no cookie, and no token reaches the browser', async () => {
      let seen = '';
      context.on('response', (response) => (seen += `${response.url()} ${JSON.stringify(response.headers())}\n`));
      await signIn(page);
      const cookie = await sessionCookie();
      assert.equal(cookie.name, `osc_session_${new URL(home).port}`);
      assert.equal(cookie.httpOnly, true);
      assert.equal(cookie.sameSite, 'Lax');
      assert.equal(cookie.path, '/');
      assert.equal(cookie.domain, 'localhost');
      assert.equal(await page.evaluate(() => document.cookie), '');
      assert.deepEqual(await page.evaluate(() => ({ ...localStorage, ...sessionStorage })), {});

      const service = await page.locator('.services a[aria-current]').textContent();
      const paths = ['/', '/dashboard', '/api/balance', '/api/session', `/api/instances?service=${service}`, '/nothing'];
      for (const path of paths) {
        const answer = await page.request.get(home + path);
        seen += `${JSON.stringify(answer.headers())} ${await answer.text()}\n`;
      }
      seen += (await page.content()) + JSON.stringify(await context.cookies());
      assert.ok(seen.includes('Token balance'));
      assert.ok(platform.tokens.size >= 2, 'an access token and a service token passed by');
      for (const token of [...platform.tokens, mock.found.CLIENT_SECRET]) {
        assert.ok(!seen.includes(token), 'the browser was shown a token or the secret');
        assert.ok(!app.output.includes(token), 'the log holds a token or the secret');
      }
    });

    test('reopening an old callback leads back to the app', async () => {
      const callback = page.waitForRequest((request) => request.url().startsWith(`${home}/auth/callback`));
      await signIn(page);
      const { value } = await sessionCookie();

      await page.goBack();
      await page.locator('#allow').click();
      await page.waitForURL((url) => url.origin === home);
      await page.getByRole('button', { name: 'Sign out' }).waitFor();

      await page.goto((await callback).url());
      await page.getByRole('button', { name: 'Sign out' }).waitFor();
      assert.ok(!page.url().includes('code='), page.url());
      assert.equal((await sessionCookie()).value, value);
      assert.equal(await isSignedIn(), true);
    });

    test('two tabs sign in at once', async () => {
      const tabs = [page, await context.newPage()];
      for (const tab of tabs) {
        await tab.goto(home);
        await tab.getByRole('link', { name: 'Sign in with OSC' }).click();
        await tab.locator('#allow').waitFor();
      }
      for (const tab of tabs) {
        await tab.locator('#allow').click();
        await tab.waitForURL(`${home}/dashboard`);
        await tab.getByRole('heading', { name: 'Dashboard' }).waitFor();
      }
      assert.equal(await isSignedIn(), true);
    });

    test('a protected page asks for a sign-in and then opens', async () => {
      await signIn(page);
      const service = await page.locator('.services a').last().textContent();
      await context.clearCookies({ name: /^osc_session/ });
      await page.goto(`${home}/dashboard?service=${service}`);
      await page.locator('#allow').click();
      await page.waitForURL(`${home}/dashboard?service=${service}`);
      assert.equal(await page.locator('.services a[aria-current]').textContent(), service);
    });

    test('a declined consent shows a page with a link to retry', async () => {
      await page.goto(home);
      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      const answered = page.waitForResponse((response) => response.url().startsWith(`${home}/auth/callback`));
      await page.locator('#deny').click();
      assert.equal((await answered).status(), 401);
      await page.waitForURL(`${home}/auth/callback**`);
      await shoot(page, `${sample}-denied`);
      assert.equal(await isSignedIn(), false);

      await page.getByRole('link', { name: /sign in/i }).click();
      await page.locator('#allow').click();
      await page.waitForURL((url) => url.origin === home);
      assert.equal(await isSignedIn(), true);
    });

    test('errors are shown on a page', async () => {
      await signIn(page);
      assert.equal((await page.goto(`${home}/nothing`)).status(), 404);
      await page.getByRole('heading', { name: 'Not found' }).waitFor();

      const markup = '<img src=x id=injected>';
      assert.equal((await page.goto(`${home}/dashboard?service=${encodeURIComponent(markup)}`)).status(), 400);
      assert.equal((await page.goto(`${home}/dashboard?service=nobody-nothing`)).status(), 404);
      await page.goto(`${home}/dashboard?service=${encodeURIComponent(markup)}`);
      await page.getByText(markup).waitFor();
      assert.equal(await page.locator('#injected').count(), 0);

      platform.outOfOrder = true;
      try {
        assert.equal((await page.goto(`${home}/dashboard`)).status(), 502);
        await page.getByText('the platform is <b>resting</b>').waitFor();
        await shoot(page, `${sample}-error`);
        assert.equal((await page.request.get(`${home}/api/balance`)).status(), 502);
      } finally {
        platform.outOfOrder = false;
      }
      await page.getByRole('link', { name: 'To the dashboard' }).click();
      await page.locator('#balance').waitFor();
    });

    test('another site can neither sign the visitor out nor act in the workspace', async () => {
      await signIn(page);
      // The first host is another site. The second is the same site but another origin, which SameSite does
      // not block.
      for (const host of ['127.0.0.1', 'localhost']) {
        for (const path of ['/auth/signout', '/account/end-all', '/services/add', '/instances/create', '/instances/remove']) {
          platform.strangersPage = `<form method="post" action="${home}${path}">
            <input name="service" value="minio-minio"><input name="name" value="prize"><button>Win a prize</button></form>`;
          // A new tab each time: after a refusal without a page of its own, Chromium navigates once more.
          const tab = await context.newPage();
          await tab.goto(`http://${host}:${platform.port}/stranger`);
          const answered = tab.waitForResponse(home + path);
          const asked = platform.asked.length;
          await tab.getByRole('button').click();
          assert.ok([401, 403].includes((await answered).status()), `${path} from ${host}: ${(await answered).status()}`);
          if (host === 'localhost' && path !== '/auth/signout') {
            await tab.getByText('nothing was done').waitFor();
            await shoot(tab, `${sample}-forged`);
          }
          await tab.close();
          assert.equal(await isSignedIn(), true);
          assert.deepEqual(platform.asked.slice(asked), [], `${path} from ${host}`);
        }
      }
    });

    test('without CLIENT_ID it starts a mock', async () => {
      const alone = await startSample(sample);
      assert.match(alone.output, /CLIENT_ID is not set.*mock/);
      await page.goto(alone.found);
      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      await page.locator('#allow').click();
      await page.waitForURL(`${alone.found}/dashboard`);
      await page.locator('#balance').waitFor();
      await alone.stop();
    });

    test('a port in use and an invalid setting are reported', async () => {
      const taken = { BIND: `127.0.0.1:${new URL(home).port}` };
      await assert.rejects(startSample(sample, taken), /ended with 1:[^]*error: cannot listen on BIND=127\.0\.0\.1:/);
      await assert.rejects(startSample(sample, { CLIENT_ID: 'x', OSC_ISSUER: 'nonsense' }), /ended with 1:[^]*OSC_ISSUER/);
    });
  });
}

describe('over time', () => {
  test('the access token is refreshed while the visitor browses', { timeout: 60_000 }, async () => {
    const mock = await startMock('--token-ttl', '4');
    const app = await startSample('osc-sample-axum', mock.found);
    const page = await browser.newPage();
    await page.goto(app.found);
    await page.getByRole('link', { name: 'Sign in with OSC' }).click();
    await page.locator('#allow').click();
    await page.waitForURL(`${app.found}/dashboard`);

    const expiry = async () => (await (await page.request.get(`${app.found}/api/session`)).json()).expires_at;
    const first = await expiry();
    // Two refreshes: the second uses the token from the first.
    while ((await expiry()) < first + 4) {
      assert.equal((await page.reload()).status(), 200);
      await page.locator('#balance').waitFor({ timeout: 5_000 });
    }
    await page.close();
    await app.stop();
    await mock.kill();
  });

  test('a provider outage shows a page, and sign-in works afterwards', async () => {
    let mock = await startMock();
    const { CLIENT_ID: id, CLIENT_SECRET: secret, OSC_ISSUER: issuer } = mock.found;
    const app = await startSample('osc-sample-axum', mock.found);
    await mock.kill();
    const page = await browser.newPage();

    await page.goto(app.found);
    const answered = page.waitForResponse((response) => response.url().includes('/auth/signin'));
    await page.getByRole('link', { name: 'Sign in with OSC' }).click();
    assert.equal((await answered).status(), 502);
    await page.waitForLoadState();
    await shoot(page, 'provider-unavailable');

    mock = await startMock('--port', new URL(issuer).port, '--client-id', id, '--client-secret', secret);
    await page.goto(app.found);
    await page.getByRole('link', { name: 'Sign in with OSC' }).click();
    await page.locator('#allow').click();
    await page.waitForURL(`${app.found}/dashboard`);
    await page.close();
    await app.stop();
    await mock.kill();
  });
});
