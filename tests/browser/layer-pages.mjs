// The layer's own pages: in narrow and wide windows, light and dark, in each language, with and without an app's look.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { killPrograms, launchBrowser, picture, Program } from './harness.mjs';

const LONG = `${'Wohlfahrtsverwaltungs'.repeat(4)}GmbH`;
const HOST = `${`${'m'.repeat(63)}.`.repeat(3)}example.com`;
const looks = [
  { look: 'plain', args: [] },
  { look: 'teal', args: ['--name', 'Acme', '--color', '#0b6a62'] },
  { look: 'bright', args: ['--name', LONG, '--color', '#ffe600'] },
  { look: 'black', args: ['--name', 'Nattens bokhandel', '--color', '#000'] },
  { look: 'white', args: ['--name', 'Ljus', '--color', '#ffffff'] },
];
const titles = {
  en: { 'signed-out': 'Please sign in', declined: 'Access declined', foreign: 'Sign-in failed' },
  sv: { 'signed-out': 'Logga in', declined: 'Åtkomsten nekades', foreign: 'Inloggningen misslyckades' },
};

const browser = await launchBrowser();
after(async () => {
  await browser.close();
  killPrograms();
});

function startApp(args) {
  return Program.start('navigation-app', args, {}, (output) => {
    const [, home] = output.match(/^APP=(.*)$/m) ?? [];
    return /^CONTROLS=/m.test(output) && home;
  });
}

/** Returns what is wrong with the page that is shown: text that cannot be read, and parts that leave the window. */
function flaws() {
  const parse = (color) => color.match(/[\d.]+/g).map(Number);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = ([r, g, b]) => 0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const ground = (element) => {
    const [r, g, b, alpha = 1] = parse(getComputedStyle(element).backgroundColor);
    return alpha === 1 ? [r, g, b] : ground(element.parentElement);
  };
  const found = [];
  for (const element of document.querySelectorAll('h1, p, small, a')) {
    const name = `${element.tagName} “${element.textContent.slice(0, 20)}”`;
    const pair = [luminance(parse(getComputedStyle(element).color)), luminance(ground(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (!(contrast >= 4.5)) found.push(`${name} has a contrast of ${contrast.toFixed(2)}`);
    const { left, right } = element.getBoundingClientRect();
    const card = document.querySelector('main').getBoundingClientRect();
    if (left < card.left || right > card.right) found.push(`${name} leaves the card`);
    if (element.scrollWidth > Math.ceil(right - left)) found.push(`${name} overflows`);
  }
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} wide in a window of ${clientWidth}`);
  return found;
}

for (const { look, args } of looks) {
  for (const language of ['en', 'sv']) {
    test(`the ${look} pages in ${language} fit every window and can be read`, { timeout: 120_000 }, async () => {
      const app = await startApp(args);
      const home = app.found;
      for (const colorScheme of ['light', 'dark']) {
        const context = await browser.newContext({ locale: language === 'sv' ? 'sv-SE' : 'en-GB', colorScheme });
        context.setDefaultTimeout(15_000);
        const page = await context.newPage();
        await page.goto(`${home}/auth/signin`);
        const state = new URL(page.url()).searchParams.get('state');
        const issuer = encodeURIComponent(new URL(page.url()).origin);
        const declined = `/auth/callback?error=access_denied&state=${encodeURIComponent(state)}&iss=${issuer}`;
        const pages = { 'signed-out': '/reports', declined, foreign: '/auth/callback?code=x&state=x' };
        for (const [name, path] of Object.entries(pages)) {
          if (name === 'foreign') await context.clearCookies();
          await page.goto(home + path);
          assert.equal(await page.locator('h1').innerText(), titles[language][name]);
          assert.equal(await page.locator('html').getAttribute('lang'), language);
          for (const width of [320, 390, 1280]) {
            await page.setViewportSize({ width, height: 700 });
            assert.deepEqual(await page.evaluate(flaws), [], `${name}, ${colorScheme}, ${width} px`);
            await page.screenshot({ path: picture(`layer-${look}-${name}-${language}-${width}-${colorScheme}`), fullPage: true });
          }
        }
        // The longest host that a text can name.
        await page.setViewportSize({ width: 320, height: 700 });
        await page.evaluate((host) => document.querySelector('p').append(host), HOST);
        assert.deepEqual(await page.evaluate(flaws), [], `a long host, ${colorScheme}`);
        await context.close();
      }
      await app.stop();
    });
  }
}

describe('pages of the app itself', () => {
  for (const [kind, args] of [
    ['built-in', []],
    ['own', ['--own-pages']],
  ]) {
    test(`the ${kind} page keeps the fragment of the address`, { timeout: 60_000 }, async () => {
      const app = await startApp([...args, '--consents-after', '0']);
      const context = await browser.newContext();
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      const problems = [];
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
      page.on('pageerror', (error) => problems.push(error.message));
      await page.goto(`${app.found}/reports?x=1#march`);
      assert.equal(await page.locator('#own').count(), kind === 'own' ? 1 : 0);
      // The fragment may change while the page is shown.
      await page.evaluate(() => (location.hash = 'april'));
      await page.getByRole('link', { name: 'Sign in with OSC' }).click();
      await page.waitForURL(`${app.found}/reports?x=1#april`);
      assert.equal(await page.locator('#here').innerText(), '/reports?x=1');
      // The browser reports the status of the page as an error, and that there is no icon.
      assert.deepEqual(problems.filter((text) => !/status of 40[14]/.test(text)), []);
      await context.close();
      await app.stop();
    });
  }
});
