// The axum sample as it runs on Open Source Cloud. It knows PORT and OSC_HOSTNAME. Browsers reach it through
// an ingress that terminates TLS and sets X-Forwarded-*. Its provider is behind such a proxy too.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { killPrograms, launchBrowser, Program, shoot, startMock } from './harness.mjs';

const hostname = 'abc123.apps.osaas.io';
const ownDomain = 'shop.example';

const folder = mkdtempSync(path.join(tmpdir(), 'on-osc-'));
const certificate = makeCertificate('localhost', hostname, ownDomain);

const ingress = await Ingress('x-forwarded');
const providersProxy = await Ingress('x-forwarded');
const mock = await startMock('--issuer', `https://localhost:${providersProxy.port}`, '--loose-redirect-uris');
providersProxy.target = new URL(mock.found.OSC_PLATFORM).port;

const settings = {
  PORT: '0',
  OSC_HOSTNAME: hostname,
  OSC_PLATFORM: mock.found.OSC_PLATFORM,
  OSC_ISSUER: mock.found.OSC_ISSUER,
  // The certificate belongs to this test only.
  SSL_CERT_FILE: certificate.file,
};
const confidential = { CLIENT_ID: mock.found.CLIENT_ID, CLIENT_SECRET: mock.found.CLIENT_SECRET };

const browser = await launchBrowser(
  `--host-resolver-rules=${[hostname, ownDomain].map((host) => `MAP ${host}:443 127.0.0.1:${ingress.port}`).join(',')}`,
);
let context, page, app;

beforeEach(async () => {
  context = await browser.newContext({ ignoreHTTPSErrors: true });
  context.setDefaultTimeout(15_000);
  page = await context.newPage();
});

afterEach(async () => {
  await context.close();
  await app?.stop();
  app = undefined;
});

after(async () => {
  await browser.close();
  killPrograms();
  for (const { server } of [ingress, providersProxy]) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true });
});

async function start(client) {
  app = await Program.start('osc-sample-axum', [], { ...settings, ...client }, (output) => output.match(/http:\/\/localhost:(\d+)/)?.[1]);
  ingress.target = app.found;
}

async function signIn(user, workspace) {
  await page.goto(`https://${hostname}/`);
  await page.getByRole('link', { name: 'Sign in with OSC' }).click();
  await page.waitForURL(`${mock.found.OSC_ISSUER}/**`);
  await page.getByRole('radio', { name: `${user} workspace ${workspace}`, exact: true }).check();
  await page.locator('#allow').click();
  await page.waitForURL(`https://${hostname}/dashboard`);
}

test("a visitor signs in at the app's OSC host name", async () => {
  await start(confidential);
  await signIn('grace', 'team');
  await page.getByText('grace').first().waitFor();
  const cookies = await context.cookies(`https://${hostname}/`);
  const session = cookies.find(({ name }) => name === '__Host-osc_session');
  assert.ok(session?.secure && session.httpOnly, JSON.stringify(cookies));
  assert.equal(session.sameSite, 'Lax');

  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.waitForURL(`https://${hostname}/`);
  await page.getByRole('link', { name: 'Sign in with OSC' }).waitFor();
});

test('an app that registers itself signs visitors in, and logs what a restart costs', async () => {
  await start({ OSC_APP_NAME: 'Sample', COOKIE_KEY: Buffer.alloc(32, 7).toString('base64') });
  await signIn('ada', 'adalovelace');
  assert.match(app.output, /After a restart the app registers again and every user has to sign in/);
});

test('at an unknown domain, a page names the variable to set', async () => {
  await start(confidential);
  const answer = await page.goto(`https://${ownDomain}/auth/signin`);
  assert.equal(answer.status(), 500);
  await page.getByText(`You opened this app at ${ownDomain}`).waitFor();
  await page.getByText('PUBLIC_URL').waitFor();
  await shoot(page, 'unknown-host');
  assert.match(app.output, /https:\/\/shop\.example/);
});

test('both domains work once PUBLIC_URL names them', async () => {
  await start({ ...confidential, PUBLIC_URL: `https://${hostname},https://${ownDomain}` });
  await signIn('ada', 'team');
  await page.goto(`https://${ownDomain}/dashboard`);
  await page.locator('#allow').click();
  await page.waitForURL(`https://${ownDomain}/dashboard`);
});

/** Starts a proxy that terminates TLS and sets X-Forwarded-*. */
async function Ingress() {
  const ingress = { target: undefined };
  ingress.server = https.createServer(certificate, (request, response) => {
    const headers = {
      ...request.headers,
      host: `127.0.0.1:${ingress.target}`,
      'x-forwarded-for': request.socket.remoteAddress,
      'x-forwarded-host': request.headers.host,
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443',
    };
    const { method, url } = request;
    const onward = http.request({ host: '127.0.0.1', port: ingress.target, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.rawHeaders);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  ingress.server.listen(0, '127.0.0.1');
  await once(ingress.server, 'listening');
  ingress.port = ingress.server.address().port;
  return ingress;
}

function makeCertificate(...names) {
  const file = (name) => path.join(folder, name);
  const names_ = names.map((name) => `DNS:${name}`).join(',');
  const run = (...parameters) => execFileSync('openssl', parameters, { stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  run('req', '-x509', ...key, '-days', '2', '-subj', '/CN=authority', '-keyout', file('ca.key'), '-out', file('ca.crt'));
  run(
    ...['req', '-x509', ...key, '-days', '2', '-subj', '/CN=server', '-CA', file('ca.crt'), '-CAkey', file('ca.key')],
    ...['-addext', `subjectAltName=${names_}`, '-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-keyout', file('server.key'), '-out', file('server.crt')],
  );
  return { key: readFileSync(file('server.key')), cert: readFileSync(file('server.crt')), file: file('ca.crt') };
}
