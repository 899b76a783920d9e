// A sign-in ends at the exact address that was asked for.

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

async function restoresAtOnce(stage, tabs, consentsAfter) {
  await stage.start({ consentsAfter });
  const { tab } = await stage.browser();
  const all = [];
  for (let i = 0; i < tabs; i += 1) all.push(await tab());
  all.forEach((tab, i) => tab.begin(`/restored/${i}?tab=${i}`));
  const results = await Promise.allSettled(all.map((tab, i) => tab.isAtPage(`/restored/${i}?tab=${i}`)));
  const failed = results.filter(({ status }) => status === 'rejected').map(({ reason }) => reason.message);
  if (failed.length) throw new Error(`${failed.length} of ${tabs} tabs: ${failed.slice(0, 3).join('; ')}`);
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
  ...[10, 20].flatMap((tabs) =>
    [0, 300, 1500].map((delay) => ({
      name: `${tabs} restored tabs, consent after ${delay.toLocaleString('en')} ms`,
      run: (stage) => restoresAtOnce(stage, tabs, delay),
    })),
  ),
];
