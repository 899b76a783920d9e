// The stage of one case of the matrix: a browser, and the app with its provider.

import { Program } from '../programs.mjs';
import { Tab } from './tab.mjs';

/** Firefox now and then replaces a tab's first, empty page while its driver looks at it. */
async function newPage(context, attempts = 3) {
  try {
    return await context.newPage();
  } catch (error) {
    if (attempts === 1 || !/no such frame/.test(error.message)) throw error;
    return newPage(context, attempts - 1);
  }
}

export class Stage {
  contexts = [];
  engines = [];

  constructor(engine, launch) {
    this.engine = engine;
    this.launch = launch;
  }

  /** Starts the app. A delay of null makes the provider show its consent page. */
  async start({ redirects = true, consentsAfter = 0, http2 = false } = {}) {
    const args = [...(redirects ? ['--redirect'] : []), ...(http2 ? ['--http2'] : [])];
    if (consentsAfter !== null) args.push('--consents-after', String(consentsAfter));
    const ready = (output) => {
      const [, home] = output.match(/^APP=(.*)$/m) ?? [];
      const [, controls] = output.match(/^CONTROLS=(.*)$/m) ?? [];
      return controls && { home, controls };
    };
    const log = process.env.RUST_LOG ?? 'warn,osc_auth_layer=debug';
    this.app = await Program.start('navigation-app', args, { RUST_LOG: log }, ready);
    this.home = this.app.found.home;
  }

  /** Steers the provider and the clocks. */
  async steer(path, body = undefined) {
    const answer = await fetch(this.app.found.controls + path, { method: 'POST', body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${text}`);
    return text;
  }

  async count(path) {
    return Number(await (await fetch(this.app.found.controls + path)).text());
  }

  /** Returns a new browser with its own cookies. */
  async browser() {
    const context = await this.engine.context();
    this.contexts.push(context);
    return { context, tab: async () => new Tab(await newPage(context), this.home) };
  }

  /** Returns a tab of a new browser. Its other tabs come from `browser()`. */
  async tab() {
    return (await this.browser()).tab();
  }

  /** Returns a tab of a browser that keeps no cookie. */
  async tabWithoutCookies() {
    const engine = await this.launch({ blocksCookies: true });
    this.engines.push(engine);
    const context = await engine.ownContext();
    return new Tab(await newPage(context), this.home);
  }

  /** Returns a tab of a signed-in user. */
  async signedIn() {
    const tab = await this.tab();
    await tab.open('/signed-in');
    await tab.isAtPage('/signed-in');
    return tab;
  }

  async stop() {
    for (const context of this.contexts) await context.close().catch(() => {});
    for (const engine of this.engines) await engine.close();
    await this.app?.stop();
  }
}
