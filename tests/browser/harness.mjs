// The environment of a sample: the browser, the programs, and a proxy to the platform.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { Program, startMock } from '../programs.mjs';

export { killPrograms, Program, startMock } from '../programs.mjs';

const pictures = fileURLToPath(new URL('./out', import.meta.url));
mkdirSync(pictures, { recursive: true });

export function launchBrowser(...more) {
  return chromium.launch(browserOptions(...more));
}

/** Returns the options that every Chromium under test is launched with. */
export function browserOptions(...more) {
  return {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...more,
    ],
  };
}

/** Returns the file of a picture. */
export function picture(name) {
  return path.join(pictures, `${name}.png`);
}

/** Takes pictures of the page in the light and the dark colour scheme. */
export async function shoot(page, name) {
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: picture(`${name}-${colorScheme}`), fullPage: true });
  }
}

/**
 * Starts a sample on a free port, in this folder. `found` is the address to open. With a client, its sessions live in the
 * process unless `env` says otherwise.
 */
export function startSample(name, env = {}, folder = undefined) {
  const store = env.CLIENT_ID && { SESSION_STORE: 'memory:' };
  const all = { BIND: '127.0.0.1:0', ...store, ...env };
  return Program.start(name, [], all, (output) => output.match(/http:\/\/localhost:\d+/)?.[0], folder);
}

/** Starts a mock with these options, a proxy to its platform, and a sample that uses both. `home` is the address to open. */
export async function startStage(sample, ...options) {
  const stage = {};
  try {
    stage.mock = await startMock(...options);
    const settings = stage.mock.found;
    stage.platform = await Platform.start(settings.OSC_PLATFORM);
    stage.app = await startSample(sample, { ...settings, OSC_PLATFORM: `http://127.0.0.1:${stage.platform.port}` });
    return { ...stage, home: stage.app.found };
  } catch (error) {
    await stopStage(stage);
    throw error;
  }
}

/** Stops what was started of a stage. */
export async function stopStage({ mock, platform, app }) {
  await app?.stop();
  platform?.stop();
  await mock?.kill();
}

/**
 * A proxy between a sample and the platform. It records every token that passes, and it can fail on demand. It also
 * serves pages of another site, from which tests forge requests.
 */
export class Platform {
  tokens = new Set();
  personalToken = undefined;
  outOfOrder = false;
  strangersPage = '';
  /** The id of a service, and the one that the sample knows it by. */
  rename = undefined;
  /** The requests so far. */
  asked = [];

  static async start(target) {
    const platform = new Platform();
    platform.target = target;
    platform.server = http.createServer((request, response) => {
      platform.answer(request, response).catch((error) => response.destroy(error));
    });
    platform.server.listen(0, '127.0.0.1');
    await once(platform.server, 'listening');
    platform.port = platform.server.address().port;
    return platform;
  }

  async answer(request, response) {
    if (request.url === '/stranger') {
      response.setHeader('content-type', 'text/html');
      response.end(this.strangersPage);
      return;
    }
    // Browsers request this on their own.
    if (request.url === '/favicon.ico') return response.writeHead(404).end();
    this.asked.push(`${request.method} ${request.url}`);
    const [, token] = request.headers['x-pat-jwt']?.match(/^Bearer (.+)/) ?? [];
    if (token) this.tokens.add((this.personalToken = token));
    if (this.outOfOrder) {
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end('{"reason":"the platform is <b>resting</b>"}');
      return;
    }
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const { host, connection, 'content-length': _, 'transfer-encoding': __, ...headers } = request.headers;
    const [real, shown] = this.rename ?? [];
    const url = shown ? request.url.replaceAll(shown, real) : request.url;
    const sent = chunks.length ? Buffer.concat(chunks).toString() : undefined;
    const body = shown ? sent?.replaceAll(shown, real) : sent;
    const answer = await fetch(this.target + url, { method: request.method, headers, body });
    let text = await answer.text();
    if (shown) text = text.replaceAll(`"${real}"`, `"${shown}"`);
    for (const [, token] of text.matchAll(/"token":\s*"([^"]+)"/g)) this.tokens.add(token);
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'text/plain' });
    response.end(text);
  }

  /** Subscribes to services for the user of the last request. */
  async activate(...services) {
    const headers = { 'x-pat-jwt': `Bearer ${this.personalToken}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ services });
    const answer = await fetch(`${this.target}/catalog/mysubscriptions`, { method: 'POST', headers, body });
    assert.ok(answer.ok, await answer.text());
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
