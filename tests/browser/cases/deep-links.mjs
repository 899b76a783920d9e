// A sign-in ends at the exact address that was asked for.

import assert from 'node:assert/strict';

const of = (length) => `/long?q=${'a'.repeat(length - '/long?q='.length)}`;

/** An address of this many bytes in escapes, which a query value triples again. */
const ofEscapes = (length) => `/escapes?q=${'%C3%A9'.repeat(Math.floor((length - '/escapes?q='.length) / 6))}`;

async function returns(stage, target, expected = target) {
  await stage.start();
  const tab = await stage.tab();
  tab.begin(target);
  await tab.isAtPage(expected);
}

const addresses = [
  ['an escaped slash: /a%2Fb', '/a%2Fb'],
  ['an empty segment: /p//q', '/p//q'],
  ['an escaped newline in the query: /x?t=a%0Ab', '/x?t=a%0Ab'],
  ['an escaped percent sign: /100%25', '/100%25'],
  ['a query that looks like a URL: /x?next=https://a.example/b?c=d', '/x?next=https://a.example/b?c=d'],
  ['an address of 321 bytes', of(321)],
  ['an address of 1,000 bytes', of(1000)],
  ['an address of 2,000 bytes', of(2000)],
  ['an address of 2,000 bytes in escapes', ofEscapes(2000)],
];

/** The app's own cookies take 12 KB, and a server of HTTP/2 accepts 16 KB of headers by default. */
async function withLargeCookies(stage) {
  await stage.start({ http2: true });
  const browser = await stage.browser();
  const tab = await browser.tab();
  await tab.open('/open/empty.html');
  await tab.run(() => {
    for (const name of ['a', 'b', 'c']) document.cookie = `${name}=${name.repeat(4000)}; path=/`;
  });
  await tab.open('/open/empty.html');
  const [protocol, length] = await tab.run(() => [
    performance.getEntriesByType('navigation')[0].nextHopProtocol,
    document.cookie.length,
  ]);
  assert.equal(protocol, 'h2');
  assert.ok(length >= 12_000, `${length} bytes`);
  return browser;
}

async function restoresAtOnce(stage, tabs, consentsAfter) {
  await stage.start({ consentsAfter });
  await endsEachAtItsOwn(tabs, (await stage.browser()).tab);
}

async function endsEachAtItsOwn(tabs, tab) {
  const all = [];
  for (let i = 0; i < tabs; i += 1) all.push(await tab());
  all.forEach((tab, i) => tab.begin(`/restored/${i}?tab=${i}`));
  const results = await Promise.allSettled(all.map((tab, i) => tab.isAtPage(`/restored/${i}?tab=${i}`)));
  const failed = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message);
  if (failed.length) throw new Error(`${failed.length} of ${tabs} tabs: ${failed.slice(0, 3).join('; ')}`);
}

/** Opens one tab after the other, then consents in each. The provider may ask twice: a browser keeps only four sign-ins. */
async function consentsLater(stage, tabs) {
  await stage.start({ consentsAfter: null });
  const { tab } = await stage.browser();
  const all = [];
  for (let i = 0; i < tabs; i += 1) {
    all.push(await tab());
    all[i].begin(`/waiting/${i}?tab=${i}`);
    await all[i].finds('#allow');
  }
  for (const [i, tab] of all.entries()) {
    await tab.run(() => (window.isOld = true));
    await tab.press('#allow');
    await tab.waitFor(() => !window.isOld && document.readyState === 'complete');
    if (await tab.page.$('#allow')) await tab.press('#allow');
    await tab.isAtPage(`/waiting/${i}?tab=${i}`);
  }
}

export const deepLinks = [
  ...addresses.map(([name, target]) => ({ name: `deep link, ${name}`, run: (stage) => returns(stage, target) })),
  {
    name: 'a query of more than 2 KB is left out',
    run: (stage) => returns(stage, of(2500), '/long'),
  },
  {
    name: 'a path of more than 2 KB leads to the first page',
    async run(stage) {
      await stage.start();
      const tab = await stage.tab();
      tab.begin(`/${'p'.repeat(2500)}`);
      await tab.at('/');
      await tab.finds('#user');
    },
  },
  {
    name: 'the fragment survives the redirect to the provider',
    run: (stage) => returns(stage, '/deep?x=1#part'),
  },
  {
    name: 'the fragment survives the consent page',
    async run(stage) {
      await stage.start({ consentsAfter: null });
      const tab = await stage.tab();
      tab.begin('/deep?x=1#part');
      await tab.press('#allow');
      await tab.isAtPage('/deep?x=1#part');
    },
  },
  {
    name: 'the fragment survives the 401 page',
    async run(stage) {
      await stage.start({ redirects: false });
      const tab = await stage.tab();
      tab.begin('/deep?x=1#part');
      await tab.press('a.button, button');
      await tab.isAtPage('/deep?x=1#part');
    },
  },
  {
    name: '10 tabs at the consent page, allowed one after the other',
    run: (stage) => consentsLater(stage, 10),
  },
  ...[10, 20].flatMap((tabs) =>
    [0, 300, 1500].map((delay) => ({
      name: `${tabs} restored tabs, consent after ${delay.toLocaleString('en')} ms`,
      run: (stage) => restoresAtOnce(stage, tabs, delay),
    })),
  ),
  {
    name: "HTTP/2, 12 KB of the app's own cookies, an address of 1,000 bytes",
    async run(stage) {
      const { tab } = await withLargeCookies(stage);
      const deep = await tab();
      deep.begin(of(1000));
      await deep.isAtPage(of(1000));
    },
  },
  {
    name: "HTTP/2, 12 KB of the app's own cookies: the query of an address of 2,000 bytes is left out",
    async run(stage) {
      const { tab } = await withLargeCookies(stage);
      const deep = await tab();
      deep.begin(of(2000));
      await deep.isAtPage('/long');
    },
  },
  {
    name: "HTTP/2, 12 KB of the app's own cookies, 10 restored tabs",
    async run(stage) {
      const { tab } = await withLargeCookies(stage);
      await endsEachAtItsOwn(10, tab);
    },
  },
];
