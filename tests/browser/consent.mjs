// The mock's consent page in a browser, where the user chooses an account and a workspace.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { killPrograms, launchBrowser, shoot, startMock } from './harness.mjs';

const browser = await launchBrowser();
after(async () => {
  await browser.close();
  killPrograms();
});

const callback = 'http://127.0.0.1:9/callback';

function authorizeUrl({ OSC_ISSUER, CLIENT_ID }) {
  const url = new URL('/api/connect/authorize', OSC_ISSUER);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: CLIENT_ID,
    redirect_uri: callback,
    code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
    code_challenge_method: 'S256',
    state: 'state',
  });
  return url.href;
}

test('long names fit a narrow screen', async () => {
  const [user, workspace] = ['u'.repeat(63), 'w'.repeat(63)];
  const mock = await startMock('--user', `${user}=${workspace},team`, '--user', 'bo=team');
  const page = await browser.newPage({ viewport: { width: 320, height: 640 } });
  await page.goto(authorizeUrl(mock.found));
  assert.equal(await page.getByRole('radio').count(), 3);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 320);
  await shoot(page, 'consent-narrow');
  await page.close();
  await mock.stop();
});

test('a click on the row picks the account, and the app gets a code', async () => {
  const mock = await startMock();
  const page = await browser.newPage();
  await page.goto(authorizeUrl(mock.found));
  const radio = page.getByRole('radio', { name: 'grace workspace team', exact: true });
  await page.locator('label').filter({ has: radio }).locator('small').click();
  assert.ok(await radio.isChecked());
  const returned = page.waitForRequest((request) => request.url().startsWith(callback));
  await page.locator('#allow').click();
  assert.ok(new URL((await returned).url()).searchParams.get('code'));
  await page.close();
  await mock.stop();
});
