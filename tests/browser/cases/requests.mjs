// Requests that are not plain navigations, from a page that stayed open while its user was signed out.

import assert from 'node:assert/strict';

const save = 'form button';

/** Opens a page of the app as somebody without a session. */
async function open(stage, page) {
  await stage.start();
  const tab = await stage.tab();
  await tab.open(`/open/${page}`);
  return tab;
}

/** Opens a page of the app, and then the provider ends the session. */
async function openAndEnd(stage, page) {
  await stage.start();
  const tab = await stage.signedIn();
  await tab.open(`/open/${page}`);
  await stage.steer('/end-sessions');
  return tab;
}

/** Checks that the page says that nothing was saved, and that its button leads to the form. */
async function nothingWasSaved(stage, tab, page) {
  await tab.sees(/nothing (was|has been) saved|was not saved/i);
  assert.equal(await stage.count('/saved'), 0);
  await tab.press('a.button, button');
  await tab.at(`/open/${page}`);
}

const throughWorker = (query) => async (stage) => {
  const tab = await open(stage, `worker.html${query}`);
  await tab.waitFor(() => navigator.serviceWorker.controller !== null);
  await tab.run(() => void (location.href = '/deep?x=1'));
  await tab.isAtPage('/deep?x=1');
};

/** A background request of a page gets JSON, and its `signin` leads back to the page. */
async function background(stage, method) {
  const tab = await open(stage, 'background.html?x=1&y=2');
  await tab.run((method) => ask(method), method);
  const answer = JSON.parse(await tab.run(() => document.getElementById('answer').textContent));
  assert.equal(answer.error, 'unauthenticated');
  const { pathname, searchParams } = new URL(answer.signin, stage.home);
  assert.deepEqual([pathname, searchParams.get('return_to')], ['/auth/signin', '/open/background.html?x=1&y=2']);
  await tab.run((signin) => void (location.href = signin), answer.signin);
  await tab.at('/open/background.html?x=1&y=2');
  return answer;
}

const framed = (target) => async (stage) => {
  const tab = await open(stage, `frame.html?src=${encodeURIComponent(target)}`);
  await tab.waitFor(() => document.title === 'Loaded');
  assert.equal(await stage.count('/asked'), 0, 'the frame reached the provider');
  assert.ok((await tab.url()).startsWith(`${stage.home}/open/frame.html`));
};

/** The first click leads to the provider and back to the page. There the same click works. */
async function getsPart(tab, page) {
  await tab.run(() => (window.isOld = true));
  await tab.press('[hx-get]');
  await tab.waitFor(() => !window.isOld && location.pathname.startsWith('/open/') && document.readyState === 'complete');
  await tab.at(`/open/${page}`);
  await tab.press('[hx-get]');
  await tab.sees(/A part for ada/);
}

const htmx = (version) => [
  {
    name: `htmx ${version}: a request without a session leads back to its page`,
    async run(stage) {
      const page = `htmx${version}.html?x=1`;
      await getsPart(await open(stage, page), page);
    },
  },
  {
    name: `htmx ${version}: a request after the session ended leads back to its page`,
    async run(stage) {
      const page = `htmx${version}.html?x=1`;
      await getsPart(await openAndEnd(stage, page), page);
    },
  },
  {
    name: `htmx ${version}: a boosted link leads to its target`,
    async run(stage) {
      const tab = await open(stage, `htmx${version}.html?x=1`);
      await tab.press('[hx-boost]');
      await tab.isAtPage('/deep?x=1');
    },
  },
];

export const requests = [
  { name: 'service worker that passes navigations on', run: throughWorker('') },
  { name: 'service worker that copies navigations', run: throughWorker('?copy') },
  {
    name: 'Turbo: a visit leads to its target',
    async run(stage) {
      const tab = await open(stage, 'turbo.html');
      await tab.waitFor(() => window.Turbo !== undefined);
      await tab.press('a[href="/deep?x=1"]');
      await tab.isAtPage('/deep?x=1');
    },
  },
  {
    name: 'Turbo: a form after the session ended was not saved, and leads back',
    async run(stage) {
      const tab = await openAndEnd(stage, 'turbo.html');
      await tab.waitFor(() => window.Turbo !== undefined);
      await tab.press(save);
      await nothingWasSaved(stage, tab, 'turbo.html');
    },
  },
  {
    name: 'Turbo: a frame without a session offers a sign-in that leads back to its page',
    async run(stage) {
      const tab = await open(stage, 'turbo.html');
      await tab.waitFor(() => window.Turbo !== undefined);
      await tab.press('turbo-frame a[href="/deep?frame=1"]');
      await tab.run(() => (window.isOld = true));
      await tab.press('turbo-frame a[href^="/auth/signin"]');
      await tab.waitFor(() => !window.isOld && window.Turbo !== undefined && document.readyState === 'complete');
      await tab.at('/open/turbo.html');
      await tab.press('turbo-frame a[href="/deep?frame=1"]');
      await tab.sees(/A frame for ada/);
    },
  },
  ...htmx(2),
  ...htmx(4),
  { name: 'background fetch: JSON whose signin leads back to the page', run: (stage) => background(stage, 'GET') },
  {
    name: 'background POST: JSON says that nothing was saved',
    async run(stage) {
      const { error_description } = await background(stage, 'POST');
      assert.match(error_description, /nothing (was|has been) saved|was not saved/i);
      assert.equal(await stage.count('/saved'), 0);
    },
  },
  {
    name: 'a form after the session ended was not saved, and leads back',
    async run(stage) {
      const tab = await openAndEnd(stage, 'form.html?x=1');
      await tab.press(save);
      await nothingWasSaved(stage, tab, 'form.html?x=1');
    },
  },
  { name: 'a frame of a protected page does not reach the provider', run: framed('/deep?x=1') },
  { name: 'a frame of the sign-in does not reach the provider', run: framed('/auth/signin') },
];
