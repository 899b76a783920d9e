// WebKitGTK, by the classic WebDriver protocol. It offers the part of puppeteer's interface that a `Tab` uses.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';

/** Debian has it in a folder of the machine's kind and the library's version. */
function miniBrowser() {
  const folders = readdirSync('/usr/lib').flatMap((machine) => {
    const libraries = statSync(`/usr/lib/${machine}`).isDirectory() ? readdirSync(`/usr/lib/${machine}`) : [];
    return libraries.filter((name) => name.startsWith('webkit2gtk-4')).map((name) => `/usr/lib/${machine}/${name}`);
  });
  return folders.map((folder) => `${folder}/MiniBrowser`).find(existsSync);
}
/** The key of an element's id (WebDriver §12.1). */
const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf';

const running = new Set();

/** Starts a program that ends with this process at the latest. */
function start(name, args, options) {
  const child = spawn(name, args, options);
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.unref();
  return child;
}

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** A display without a screen. Resolves to its number. */
async function startDisplay() {
  const child = start('Xvfb', ['-displayfd', '3', '-screen', '0', '1280x900x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const [number] = await once(child.stdio[3], 'data');
  child.stdio[3].unref();
  return { child, name: `:${String(number).trim()}` };
}

class Session {
  pages = [];
  isClosed = false;
  /** Commands of one session come one after the other, because each first picks its window. */
  last = Promise.resolve();

  static async start(display, args) {
    const session = new Session();
    const port = await freePort();
    session.driver = start('WebKitWebDriver', [`--port=${port}`], {
      env: { PATH: process.env.PATH, HOME: tmpdir(), DISPLAY: display, LIBGL_ALWAYS_SOFTWARE: '1', GDK_BACKEND: 'x11' },
      stdio: 'ignore',
    });
    session.base = `http://127.0.0.1:${port}`;
    const browserOptions = { binary: miniBrowser(), args: ['--automation', ...args] };
    const alwaysMatch = { pageLoadStrategy: 'none', acceptInsecureCerts: true, 'webkitgtk:browserOptions': browserOptions };
    const { sessionId, capabilities } = await session.whenListening('/session', { capabilities: { alwaysMatch } });
    session.version = capabilities.browserVersion;
    session.base += `/session/${sessionId}`;
    await session.command('POST', '/timeouts', { script: 5_000 });
    return session;
  }

  async whenListening(path, body) {
    for (;;) {
      try {
        return await this.command('POST', path, body);
      } catch (error) {
        if (error.cause?.code !== 'ECONNREFUSED') throw error;
        await setTimeout(20);
      }
    }
  }

  async command(method, path, body = undefined) {
    const answer = await fetch(this.base + path, { method, body: body && JSON.stringify(body) });
    const { value } = await answer.json();
    if (!answer.ok) throw new Error(`${path}: ${value.error}: ${value.message}`);
    return value;
  }

  /** Sends commands to one window. */
  inWindow(handle, send) {
    const sent = this.last.then(() => this.command('POST', '/window', { handle })).then(send);
    this.last = sent.catch(() => {});
    return sent;
  }

  async newPage() {
    const isFirst = this.pages.length === 0;
    const make = () => (isFirst ? this.command('GET', '/window') : this.command('POST', '/window/new', { type: 'tab' }));
    const made = this.last.then(make);
    this.last = made.catch(() => {});
    const handle = await made;
    const page = new Page(this, handle.handle ?? handle);
    this.pages.push(page);
    return page;
  }

  async cookies() {
    return this.pages[0].send('GET', '/cookie');
  }

  async deleteCookie() {
    await this.pages[0].send('DELETE', '/cookie');
  }

  async close() {
    this.isClosed = true;
    await this.command('DELETE', '').catch(() => {});
    this.driver.kill();
  }
}

class Page {
  constructor(session, handle) {
    Object.assign(this, { session, handle });
  }

  send(method, path, body) {
    return this.session.inWindow(this.handle, () => this.session.command(method, path, body));
  }

  async goto(url, { timeout }) {
    await this.evaluate(() => (window.isLeft = true)).catch(() => {});
    await this.send('POST', '/url', { url });
    const deadline = Date.now() + timeout;
    for (;;) {
      const loaded = await this.evaluate(() => !window.isLeft && document.readyState === 'complete').catch(() => false);
      if (loaded) return;
      if (this.session.isClosed || Date.now() > deadline) throw new Error(`${url} does not load`);
      await setTimeout(50);
    }
  }

  async evaluate(script, ...args) {
    const body = `const done = arguments[arguments.length - 1];
      Promise.resolve().then(() => (${script})(...Array.from(arguments).slice(0, -1)))
        .then((value) => done({ value }), (error) => done({ error: String(error) }));`;
    const { value, error } = await this.send('POST', '/execute/async', { script: body, args });
    if (error) throw new Error(error);
    return value;
  }

  async $(selector) {
    const found = await this.send('POST', '/elements', { using: 'css selector', value: selector });
    if (found.length === 0) return null;
    return { click: () => this.send('POST', `/element/${found[0][ELEMENT]}/click`, {}) };
  }

  async bringToFront() {}
}

class Engine {
  constructor(display, args, version) {
    Object.assign(this, { display, args, version });
  }

  context() {
    return Session.start(this.display.name, this.args);
  }

  ownContext() {
    return this.context();
  }

  async close() {
    this.display.child.kill();
  }
}

export const webkit = {
  name: 'WebKitGTK',
  async launch({ blocksCookies = false } = {}) {
    const display = await startDisplay();
    const args = blocksCookies ? ['--cookies-policy=never'] : [];
    const session = await Session.start(display.name, args);
    await session.close();
    return new Engine(display, args, session.version.replace(/^(\d+\.\d+).*/, '$1'));
  },
};
