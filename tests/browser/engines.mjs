// The browsers of the matrix. Stock Chromium and stock Firefox speak different protocols, and puppeteer speaks both.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import puppeteer from 'puppeteer-core';
import { webkit } from './webkit.mjs';

class Engine {
  constructor(browser, version, folder = undefined) {
    Object.assign(this, { browser, version, folder });
  }

  /** Returns a context with its own cookies, like a new private window. */
  context() {
    return this.browser.createBrowserContext();
  }

  /** Returns the context of the profile itself, with the settings that it was launched with. */
  ownContext() {
    return this.browser.defaultBrowserContext();
  }

  async close() {
    await this.browser.close();
    if (this.folder) rmSync(this.folder, { recursive: true, force: true });
  }
}

async function launch(options, folder = undefined) {
  const browser = await puppeteer.launch({ headless: true, acceptInsecureCerts: true, timeout: 90_000, ...options });
  const version = (await browser.version()).replace(/^.*\//, '').replace(/^(\d+\.\d+).*/, '$1');
  return new Engine(browser, version, folder);
}

/** Each engine keeps left pages alive for *Back*, as users have it. */
export const engines = [
  {
    name: 'Chromium',
    launch({ blocksCookies = false } = {}) {
      let folder;
      if (blocksCookies) {
        folder = mkdtempSync(path.join(tmpdir(), 'chromium-'));
        mkdirSync(path.join(folder, 'Default'));
        const preferences = { profile: { default_content_setting_values: { cookies: 2 } } };
        writeFileSync(path.join(folder, 'Default/Preferences'), JSON.stringify(preferences));
      }
      const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
      return launch(
        {
          browser: 'chrome',
          executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
          ignoreDefaultArgs: ['--disable-back-forward-cache'],
          userDataDir: folder,
          args,
        },
        folder,
      );
    },
  },
  {
    name: 'Firefox',
    launch({ blocksCookies = false } = {}) {
      return launch({
        browser: 'firefox',
        executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr',
        extraPrefsFirefox: {
          'fission.bfcacheInParent': true,
          ...(blocksCookies && { 'network.cookie.cookieBehavior': 2 }),
        },
      });
    },
  },
  webkit,
];
