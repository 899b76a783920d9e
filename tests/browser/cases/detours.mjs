// A sign-in that goes wrong has a page of its own, which leads on in one click.

import assert from 'node:assert/strict';

const target = '/deep?x=1';
const button = 'a.button, button';

/** Opens a protected page in a browser that the provider asks for consent. Returns its tab. */
async function atConsent(stage) {
  await stage.start({ consentsAfter: null });
  const browser = await stage.browser();
  const tab = await browser.tab();
  tab.begin(target);
  await tab.finds('#allow');
  return { ...browser, at: tab, callback: async () => stage.steer('/approve', await tab.url()) };
}

async function leadsOn(tab) {
  await tab.press(button);
  await tab.press('#allow');
  await tab.isAtPage(target);
}

async function clearCookies(context) {
  await context.deleteCookie(...(await context.cookies()));
}

export const detours = [
  {
    name: 'blocked cookies: the page asks about them, and its button makes no loop',
    async run(stage) {
      await stage.start();
      const tab = await stage.tabWithoutCookies();
      tab.begin(target);
      await tab.sees(/cookies/i);
      const before = await stage.count('/asked');
      await tab.run(() => (document.title = 'Left'));
      await tab.press(button);
      await tab.waitFor(() => document.title !== 'Left' && document.readyState === 'complete');
      await tab.sees(/cookies/i);
      const asked = (await stage.count('/asked')) - before;
      assert.ok(asked <= 1, `the provider was asked ${asked} times`);
    },
  },
  {
    name: 'declined consent leads back in one click',
    async run(stage) {
      const { at: tab } = await atConsent(stage);
      await tab.press('#deny');
      await tab.sees(/declined/i);
      await leadsOn(tab);
    },
  },
  {
    name: 'an expired sign-in says so, and leads to the destination in one click',
    async run(stage) {
      const { at: tab } = await atConsent(stage);
      const callback = await stage.steer('/approve', await tab.url());
      await stage.steer('/pass/660');
      await tab.open(callback);
      await tab.sees(/expired|took (too long|longer)/i);
      assert.doesNotMatch(await tab.text(), /browser|used/i);
      await leadsOn(tab);
    },
  },
  {
    name: 'a used sign-in says so, and leads to the destination in one click',
    async run(stage) {
      const { at: tab, context, callback } = await atConsent(stage);
      const url = await callback();
      await tab.open(url);
      await tab.isAtPage(target);
      await clearCookies(context);
      // A repeated callback gets the first one's outcome for a minute.
      await stage.steer('/pass/120');
      await tab.open(url);
      await tab.sees(/used/i);
      assert.doesNotMatch(await tab.text(), /browser|ten minutes/i);
      await leadsOn(tab);
    },
  },
  {
    name: 'a sign-in of another browser says so, and leads to the destination in one click',
    async run(stage) {
      const { callback } = await atConsent(stage);
      const url = await callback();
      // The other browser has cookies, for it begins a sign-in of its own.
      const tab = await stage.tab();
      tab.begin('/elsewhere');
      await tab.finds('#allow');
      await tab.open(url);
      await tab.sees(/another browser|not begin in this browser/i);
      assert.doesNotMatch(await tab.text(), /ten minutes|used/i);
      await leadsOn(tab);
    },
  },
  {
    // Without this row, the next ones would also pass in a browser that never keeps a page in memory.
    name: 'Back to a public page finds it as it was left',
    async run(stage) {
      await stage.start();
      const tab = await stage.tab();
      await tab.open('/open/empty.html');
      await tab.run(() => (window.isOld = true));
      await tab.run(() => void (location.href = '/open/form.html'));
      await tab.at('/open/form.html');
      await tab.run(() => history.back());
      await tab.at('/open/empty.html');
      assert.equal(await tab.run(() => window.isOld), true);
    },
  },
  ...[
    ['a page with the script of the samples and no-store', '/personal'],
    ['a page with the script of the samples alone', '/personal/cached'],
  ].map(([what, path]) => ({
    name: `Back after sign-out does not show ${what}`,
    async run(stage) {
      await stage.start({ consentsAfter: null });
      const tab = await stage.tab();
      tab.begin(path);
      await tab.press('#allow');
      await tab.at(path);
      await tab.press('form button');
      await tab.at('/');
      await tab.finds('#nobody');
      await tab.run(() => history.back());
      await tab.waitFor(() => location.pathname !== '/' && !document.getElementById('user'));
    },
  })),
];
