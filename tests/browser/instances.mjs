// The signed-in user's work in the workspace, in each sample.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { killPrograms, launchBrowser, shoot, startMock, startSample } from './harness.mjs';

const browser = await launchBrowser();
after(async () => {
  await browser.close();
  killPrograms();
});

async function signIn(page, home) {
  await page.goto(home);
  await page.getByRole('link', { name: 'Sign in with OSC' }).click();
  await page.locator('#allow').click();
  await page.waitForURL(`${home}/dashboard`);
}

async function createInstance(page, name) {
  await page.getByRole('textbox', { name: 'New instance' }).fill(name);
  await page.getByRole('button', { name: 'Create' }).click();
}

const row = (page, name) => page.locator('.instances li').filter({ hasText: name });

for (const sample of ['osc-sample-axum', 'osc-sample-hyper']) {
  describe(sample, () => {
    let mock, app, home, context, page;

    before(async () => {
      // Tokens of both kinds expire before an instance has started.
      mock = await startMock('--token-ttl', '4', '--service-token-ttl', '3', '--instance-start-ms', '6000');
      app = await startSample(sample, mock.found);
      home = app.found;
    });

    after(async () => {
      await app?.stop();
      await mock?.kill();
    });

    beforeEach(async () => {
      context = await browser.newContext();
      context.setDefaultTimeout(20_000);
      page = await context.newPage();
      await signIn(page, home);
    });

    afterEach(() => context.close());

    test('an instance is created, watched until it runs, and removed', async () => {
      await createInstance(page, 'mine');
      await page.waitForURL(`${home}/instances/progress?*`);
      await page.getByRole('heading', { name: 'mine is starting' }).waitFor();
      await page.getByRole('status').getByText('starting').waitFor();
      await shoot(page, `${sample}-progress`);

      // The page redirects there on its own.
      await page.waitForURL(`${home}/dashboard?*`);
      await row(page, 'mine').waitFor();
      assert.equal(await row(page, 'mine').locator('.status').count(), 0, 'it runs');

      await row(page, 'mine').getByText('Remove', { exact: true }).click();
      await page.getByRole('button', { name: 'Remove mine for good' }).click();
      await row(page, 'mine').waitFor({ state: 'detached' });
      const service = await page.locator('.services a[aria-current]').textContent();
      const left = await page.request.get(`${home}/api/instances`, { params: { service } });
      assert.ok(!(await left.json()).some(({ name }) => name === 'mine'));
    });

    test('a creation continues after its tab is closed and its token expired', async () => {
      await createInstance(page, 'later');
      await page.waitForURL(`${home}/instances/progress?*`);
      const progress = page.url();
      await page.close();

      page = await context.newPage();
      await page.goto(progress);
      await page.waitForURL(`${home}/dashboard?*`);
      await row(page, 'later').waitFor();
      assert.match(app.output, /later runs/);
    });

    test('the dashboard shows a starting instance and links to its progress', async () => {
      await createInstance(page, 'slow');
      await page.waitForURL(`${home}/instances/progress?*`);
      await page.getByRole('link', { name: /^To the instances of/ }).click();
      await row(page, 'slow').getByRole('link', { name: 'starting' }).click();
      await page.waitForURL(`${home}/instances/progress?*`);
    });

    test('invalid input is reported and kept for correction', async () => {
      // Otherwise the browser would refuse to send the form.
      await page.locator('form.create').evaluate((form) => (form.noValidate = true));
      await page.getByText('Options', { exact: true }).click();
      await page.getByRole('textbox', { name: /JSON/ }).fill('{"key": "<kept>"}');
      const answered = page.waitForResponse(`${home}/instances/create`);
      await createInstance(page, 'Not A Name');
      assert.equal((await answered).status(), 400);
      await page.getByRole('alert').getByText('a name may contain only lowercase letters and digits').waitFor();
      assert.equal(await page.getByRole('textbox', { name: 'New instance' }).inputValue(), 'Not A Name');
      assert.equal(await page.getByRole('textbox', { name: /JSON/ }).inputValue(), '{"key": "<kept>"}');

      await page.getByRole('textbox', { name: /JSON/ }).fill('no object');
      await createInstance(page, 'name');
      await page.getByRole('alert').getByText('the options are not a JSON object').waitFor();
      await shoot(page, `${sample}-options`);
    });

    test("a taken name shows the platform's reason", async () => {
      const answered = page.waitForResponse(`${home}/instances/create`);
      await createInstance(page, 'demo');
      assert.equal((await answered).status(), 409);
      await page.getByRole('alert').getByText('the name is taken').first().waitFor();
    });

    test('a service is added by its id, and an unknown one is reported', async () => {
      const add = async (id) => {
        await page.getByRole('textbox', { name: 'Add a service' }).fill(id);
        await page.getByRole('button', { name: 'Add' }).click();
      };
      await add('minio-minio');
      await page.getByRole('heading', { name: 'Instances of minio-minio' }).waitFor();
      const answered = page.waitForResponse(`${home}/services/add`);
      await add('nobody-nothing');
      assert.equal((await answered).status(), 404);
      await page.locator('form.add').getByRole('alert').getByText('no such service').waitFor();
      assert.equal(await page.getByRole('textbox', { name: 'Add a service' }).inputValue(), 'nobody-nothing');
      await page.getByRole('heading', { name: 'Instances of minio-minio' }).waitFor();
      await shoot(page, `${sample}-no-such-service`);
    });

    test('a refused note and a refused removal are reported on the dashboard', async () => {
      const long = 'x'.repeat(501);
      const note = () => page.getByRole('textbox', { name: 'Only you see it.' });
      await note().evaluate((field) => field.removeAttribute('maxlength'));
      await note().fill(long);
      const saved = page.waitForResponse(`${home}/note`);
      await page.getByRole('button', { name: 'Save' }).click();
      assert.equal((await saved).status(), 400);
      await page.locator('.note').getByRole('alert').getByText('more than 500 characters').waitFor();
      assert.equal(await note().inputValue(), long);

      await row(page, 'demo').getByText('Remove', { exact: true }).click();
      await row(page, 'demo').locator('input[name=name]').evaluate((field) => (field.value = 'gone'));
      const removed = page.waitForResponse(`${home}/instances/remove`);
      await page.getByRole('button', { name: 'Remove demo for good' }).click();
      assert.equal((await removed).status(), 404);
      await page.locator('.panel').getByRole('alert').waitFor();
      await row(page, 'demo').waitFor();
    });

    test('a note keeps its lines and its place', async () => {
      const lines = '1\n2'.repeat(166);
      const note = () => page.getByRole('textbox', { name: 'Only you see it.' });
      await note().fill(lines);
      await page.getByRole('button', { name: 'Save' }).click();
      await page.waitForURL(`${home}/dashboard?service=*`);
      assert.equal(await note().inputValue(), lines);
      await note().fill('');
      await page.getByRole('button', { name: 'Save' }).click();
      await page.waitForURL(`${home}/dashboard?service=*`);
      assert.equal(await note().inputValue(), '');
    });
  });
}

for (const sample of ['osc-sample-axum', 'osc-sample-hyper']) {
  test(`${sample}: an instance appears after its creation timed out`, async () => {
    const mock = await startMock('--creation-timeout-ms', '1500', '--instance-start-ms', '500');
    const app = await startSample(sample, mock.found);
    const context = await browser.newContext();
    context.setDefaultTimeout(20_000);
    const page = await context.newPage();
    await signIn(page, app.found);
    await createInstance(page, 'late');
    await page.waitForURL(`${app.found}/instances/progress?*`);
    await page.waitForURL(`${app.found}/dashboard?*`);
    await row(page, 'late').waitFor();
    assert.match(app.output, /late runs/);
    await context.close();
    await app.stop();
    await mock.kill();
  });
}
