// A tab of any browser, and waiting for what a user would see in it.

import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';

const LIMIT = 15_000;
const LOOK = 50;

/** Looks again and again until `check` returns something. `describe` tells what was there instead. */
export async function eventually(check, describe) {
  const deadline = Date.now() + LIMIT;
  for (;;) {
    // A page that is about to be left has no answer. The next look finds its successor.
    const left = Math.max(deadline - Date.now(), LOOK);
    const found = await Promise.race([check().catch(() => undefined), setTimeout(left, undefined, { ref: false })]);
    if (found) return found;
    if (Date.now() > deadline) assert.fail(await describe());
    await setTimeout(LOOK);
  }
}

const shorten = (url) => (url.length > 160 ? `${url.slice(0, 150)}… (${url.length} bytes)` : url);

export class Tab {
  constructor(page, home) {
    this.page = page;
    this.home = home;
  }

  /** Opens an address of the app, or any other. Returns at once, like the address bar. */
  begin(target) {
    const url = target.startsWith('/') ? this.home + target : target;
    // A later navigation may interrupt this one.
    this.page.goto(url, { waitUntil: 'domcontentloaded', timeout: 30_000 }).catch(() => {});
  }

  async open(target) {
    const url = target.startsWith('/') ? this.home + target : target;
    await this.page.goto(url, { waitUntil: 'load', timeout: 30_000 });
  }

  run(script, ...values) {
    return this.page.evaluate(script, ...values);
  }

  url() {
    return this.run(() => location.href);
  }

  text() {
    return this.run(() => document.body?.innerText ?? '');
  }

  async describe() {
    const seen = Promise.all([this.url(), this.text()]).catch((error) => ['?', error.message]);
    const [url, text] = await Promise.race([seen, setTimeout(5_000, ['?', 'no answer'], { ref: false })]);
    return `${shorten(url)} with “${text.slice(0, 300).replace(/\s+/g, ' ')}”`;
  }

  /** Waits until the tab has loaded this address of the app, to the letter. */
  async at(target) {
    const isThere = (url) => location.href === url && document.readyState === 'complete';
    await eventually(
      () => this.run(isThere, this.home + target),
      async () => `expected ${shorten(this.home + target)}, got ${await this.describe()}`,
    );
  }

  /** Waits until the page of a protected address of the app shows it, to the letter. */
  async isAtPage(target) {
    const isShown = (url, here) => location.href === url && document.getElementById('here')?.textContent === here;
    await eventually(
      () => this.run(isShown, this.home + target, target.split('#')[0]),
      async () => `expected ${shorten(target)}, got ${await this.describe()}`,
    );
  }

  async sees(pattern) {
    return eventually(
      async () => pattern.exec(await this.text()),
      async () => `expected ${pattern}, got ${await this.describe()}`,
    );
  }

  async finds(selector) {
    return eventually(
      () => this.page.$(selector),
      async () => `expected ${selector}, got ${await this.describe()}`,
    );
  }

  /** Clicks an element as a user does. */
  async press(selector) {
    // Chromium does not move the pointer in a tab that is not in front.
    await this.page.bringToFront();
    await (await this.finds(selector)).click();
  }

  async waitFor(script, ...values) {
    return eventually(
      () => this.run(script, ...values),
      async () => `waited for ${script}, got ${await this.describe()}`,
    );
  }
}
