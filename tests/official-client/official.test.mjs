// OSC's own client from npm works with the mock as it works with OSC.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as osc from '@osaas/client-core';
import { killPrograms } from '../programs.mjs';
import { openWorkspace } from './workspace.mjs';

const service = 'eyevinn-test-adserver';
const other = 'minio-minio';
const jobs = 'eyevinn-ffmpeg-s3';
const never = ['--instance-start-ms', String(60 * 60 * 1000)];
const soon = ['--instance-start-ms', '500'];

/** A time limit, because the client would wait for ever. */
const patience = { timeout: 30_000 };

after(killPrograms);

/** The client's error for a refusal. */
const refusal = (httpCode, message) => ({ constructor: osc.FetchError, httpCode, message });

const names = (list) => list.map(({ name }) => name);

test('every function for a workspace is used here', () => {
  const used = new Set(readFileSync(new URL(import.meta.url), 'utf8').match(/(?<=\bosc\.)\w+/g));
  const leftOut = [
    // Functions for reserved nodes of a company, and a platform of OSC's own with its own key.
    'listReservedNodes', 'Platform', 'getOrderIdByName', 'waitForOrder', 'remakeOrder',
    // These send no request.
    'Log', 'instanceValue', 'valueOrSecret', 'isValidInstanceName', 'Context', 'TokenExpiredError',
  ];
  const unused = Object.keys(osc.default).filter((name) => !used.has(name));
  assert.deepEqual(unused.sort(), leftOut.sort());
});

for (const route of ['host', 'path']) {
  describe(`the mock recognises the service by the ${route}`, () => {
    async function open(t, ...options) {
      const { context, ...workspace } = await openWorkspace(t, route, ...options);
      const token = await context.getServiceAccessToken(service);
      return { context, token, ...workspace };
    }

    test('the list of subscriptions leads to the services in the shape of the route', async (t) => {
      const { context, settings } = await open(t);
      const [{ serviceId, apiUrl, serviceType, tenantId }] = await osc.listSubscriptions(context);
      assert.deepEqual([serviceId, serviceType], [service, 'instance']);
      assert.equal(tenantId, 'eyevinn', 'the publisher of the service, not the workspace');
      const base = { host: `https://api-${service}.auto.stage-se.osaas.io`, path: `${settings.OSC_PLATFORM}/api-${service}` };
      assert.equal(apiUrl, `${base[route]}/test-adserverinstance`);
    });

    test('a service that is not subscribed is activated for its first access token', async (t) => {
      const { context } = await open(t);
      const token = await context.getServiceAccessToken(other);
      const subscribed = await osc.listSubscriptions(context);
      assert.deepEqual(subscribed.map(({ serviceId }) => serviceId), [service, other]);
      assert.deepEqual(await osc.listInstances(context, other, token), []);
    });

    test('an instance is created, found and removed', async (t) => {
      const { context, token } = await open(t);
      const made = await osc.createInstance(context, service, token, { name: 'mine', description: 'My own' });
      assert.deepEqual([made.name, made.description], ['mine', 'My own']);
      const site = { host: 'stage-se', path: 'prod' }[route];
      assert.equal(made.url, `https://adalovelace-mine.${service}.auto.${site}.osaas.io`);
      assert.deepEqual(await osc.getInstance(context, service, 'mine', token), made);
      assert.deepEqual(names(await osc.listInstances(context, service, token)), ['demo', 'mine']);
      await osc.removeInstance(context, service, 'mine', token);
      assert.deepEqual(names(await osc.listInstances(context, service, token)), ['demo']);
    });

    test('an instance is starting, and running after a while', patience, async (t) => {
      const slow = await open(t, ...never);
      await osc.createInstance(slow.context, service, slow.token, { name: 'mine' });
      assert.equal(await osc.getInstanceHealth(slow.context, service, 'mine', slow.token), 'starting');

      const { context, token } = await open(t, ...soon);
      await osc.createInstance(context, service, token, { name: 'mine' });
      await osc.waitForInstanceReady(service, 'mine', context);
      assert.equal(await osc.getInstanceHealth(context, service, 'mine', token), 'running');
    });

    test('a running instance is restarted', async (t) => {
      const { context, token } = await open(t, ...never);
      assert.equal(await osc.getInstanceHealth(context, service, 'demo', token), 'running');
      await osc.restartInstance(context, service, 'demo', token);
      assert.equal(await osc.getInstanceHealth(context, service, 'demo', token), 'starting');
    });

    test('logs are rows of text and ports have numbers', async (t) => {
      const { context, token } = await open(t);
      const logs = await osc.getLogsForInstance(context, service, 'demo', token);
      assert.deepEqual(logs, ['started', 'listening']);
      const [port] = await osc.getPortsForInstance(context, service, 'demo', token);
      assert.deepEqual(Object.values(port).map((value) => typeof value), ['string', 'number', 'number']);
    });

    test('an instance is scaled', async (t) => {
      const { context, token } = await open(t);
      const scaling = () => osc.getInstanceScaling(context, service, 'demo', token);
      assert.deepEqual(await scaling(), { actualReplicas: 1, desiredReplicas: 1 });
      await osc.scaleInstanceReplicas(context, service, 'demo', 2, token);
      assert.deepEqual(await scaling(), { actualReplicas: 2, desiredReplicas: 2 });
    });

    test('users share a workspace and cannot see each other\'s own', async (t) => {
      const workspace = await openWorkspace(t, route);
      const [ada, grace] = [await workspace.signInAs('ada/team'), await workspace.signInAs('grace/team')];
      const created = await osc.createInstance(
        ada.context, service, await ada.context.getServiceAccessToken(service), { name: 'ours' },
      );
      assert.equal(created.name, 'ours');
      const list = async ({ context }) => {
        return names(await osc.listInstances(context, service, await context.getServiceAccessToken(service)));
      };
      assert.deepEqual([await list(grace), await list(workspace)], [['demo', 'ours'], ['demo']]);
    });

    test('a creation that times out is an error, and its instance appears later', patience, async (t) => {
      const { context, token } = await open(t, '--creation-timeout-ms', '500', ...soon);
      const create = () => osc.createInstance(context, service, token, { name: 'mine' });
      await assert.rejects(create(), refusal(504, /<h1>504 Gateway Time-out<\/h1>/));
      await assert.rejects(create(), refusal(409, 'the name is taken'));
      while (!names(await osc.listInstances(context, service, token)).includes('mine'));
      await osc.waitForInstanceReady(service, 'mine', context);
    });

    test('a fresh instance answers 401 at first, which the client reports as unauthorized', patience, async (t) => {
      const { context, token } = await open(t, '--locked-when-fresh-ms', '500');
      await osc.createInstance(context, service, token, { name: 'mine' });
      const health = () => osc.getInstanceHealth(context, service, 'mine', token);
      await assert.rejects(health(), osc.UnauthorizedError);
      assert.deepEqual(names(await osc.listInstances(context, service, token)), ['demo', 'mine']);
      while (!(await osc.getInstance(context, service, 'mine', token).catch(() => undefined)));
      assert.equal(await health(), 'starting');
    });

    test('a malformed token header breaks the service', async (t) => {
      const { context } = await open(t);
      context.getPersonalAccessToken = () => '';
      await assert.rejects(osc.listSubscriptions(context), refusal(500, 'Internal Server Error'));
    });

    test('the calls that the client has no function for pass through its fetch', async (t) => {
      const { context, token } = await open(t, '--plan', 'FREE');
      const call = (service, path, method = 'GET', body) => {
        const headers = { 'x-pat-jwt': `Bearer ${context.getPersonalAccessToken()}`, 'content-type': 'application/json' };
        const url = `https://${service}.svc.stage.osaas.io/${path}`;
        return osc.createFetch(url, { method, headers, body: body && JSON.stringify(body) });
      };
      assert.deepEqual(await call('money', 'mytenantplan'), { planType: 'FREE' });
      await osc.saveSecret(service, 'key', 'value', context);
      assert.deepEqual(await call('deploy', `mysecrets/${service}`), [{ serviceId: service, secretName: 'key' }]);
      await call('deploy', `mysecrets/${service}/key`, 'PUT', { secretData: 'other' });
      assert.equal(await call('deploy', `mysecrets/${service}/key`, 'DELETE'), '');
      assert.deepEqual(await call('deploy', `mysecrets/${service}`), []);
      assert.deepEqual(await call('deploy', 'mysuspended'), []);
      const resume = call('deploy', `mysuspended/${service}/demo/resume`, 'POST');
      await assert.rejects(resume, refusal(404, 'no such suspended instance'));

      const { _links } = await osc.getInstance(context, service, 'demo', token);
      const [{ apiUrl }] = await osc.listSubscriptions(context);
      const follow = (href) => osc.createFetch(new URL(href, apiUrl), { headers: { 'x-jwt': `Bearer ${token}` } });
      const { serviceDns, ports, publicAccess } = await follow(_links.internalEndpoint.href);
      assert.deepEqual([typeof serviceDns, ports, publicAccess], ['string', [8080], true]);
      assert.deepEqual(await follow(`${_links.logs.href}?sinceSeconds=3600`), ['started', 'listening']);
    });

    test('a secret is stored, referred to and not shown', async (t) => {
      const { context, token } = await open(t);
      const refers = { name: 'mine', password: '{{secrets.key}}' };
      const create = () => osc.createInstance(context, service, token, refers);
      await assert.rejects(create(), refusal(400, 'no such secret: key'));
      await osc.saveSecret(service, 'key', 'hidden', context);
      assert.equal((await create()).password, '***');
    });

    test('a subscription ends', async (t) => {
      const { context, token } = await open(t);
      await osc.removeSubscription(context, service);
      assert.deepEqual(await osc.listSubscriptions(context), []);
      const list = osc.listInstances(context, service, token);
      await assert.rejects(list, { message: `Service ${service} not found in your subscriptions` });
      await assert.rejects(osc.removeSubscription(context, service), refusal(404, 'no such subscription'));
    });

    test('a job is created, completes and is removed', patience, async (t) => {
      const { context } = await open(t, ...soon);
      const token = await context.getServiceAccessToken(jobs);
      const made = await osc.createJob(context, jobs, token, { name: 'mine', cmdLineArgs: '-i in out' });
      assert.deepEqual([made.name, made.status], ['mine', 'Running']);
      await osc.waitForJobToComplete(context, jobs, 'mine', token);
      const { status, cmdLineArgs } = await osc.getJob(context, jobs, 'mine', token);
      assert.deepEqual([status, cmdLineArgs], ['Complete', '-i in out']);
      assert.deepEqual(names(await osc.listJobs(context, jobs, token)), ['mine']);
      await osc.removeJob(context, jobs, 'mine', token);
      assert.deepEqual(await osc.listJobs(context, jobs, token), []);
    });

    test('a service for instances has no jobs', async (t) => {
      const { context, token } = await open(t);
      const create = osc.createJob(context, service, token, { name: 'mine' });
      await assert.rejects(create, { message: 'Service is not a job service' });
    });

    test('client and platform accept the same names', async (t) => {
      const { context, token } = await open(t);
      const [{ apiUrl }] = await osc.listSubscriptions(context);
      const headers = { 'x-jwt': `Bearer ${token}`, 'content-type': 'application/json' };
      for (const name of ['my-instance', 'Mine', 'm ine', 'm\n', 'ö', '']) {
        await assert.rejects(osc.createInstance(context, service, token, { name }), osc.InvalidName, name);
        const unchecked = osc.createFetch(apiUrl, { method: 'POST', headers, body: JSON.stringify({ name }) });
        await assert.rejects(unchecked, refusal(400, 'name must consist of a-z and 0-9'), name);
      }
      for (const name of ['a', '0', 'z9'.repeat(30)]) {
        assert.equal((await osc.createInstance(context, service, token, { name })).name, name);
      }
    });

    test("a taken name is refused with the platform's reason", async (t) => {
      const { context, token } = await open(t);
      const create = osc.createInstance(context, service, token, { name: 'demo' });
      await assert.rejects(create, refusal(409, 'the name is taken'));
    });

    test('a workspace without tokens can create nothing', async (t) => {
      const { context, token } = await open(t, '--balance', '0');
      const create = osc.createInstance(context, service, token, { name: 'mine' });
      await assert.rejects(create, refusal(403, 'no tokens left'));
    });

    test('a missing instance is not found', async (t) => {
      const { context, token } = await open(t);
      assert.equal(await osc.getInstance(context, service, 'nothing', token), undefined);
      const remove = osc.removeInstance(context, service, 'nothing', token);
      await assert.rejects(remove, refusal(404, 'no such instance'));
      const health = osc.getInstanceHealth(context, service, 'nothing', token);
      await assert.rejects(health, { message: `Instance nothing of service ${service} not found` });
    });

    test('a service must be subscribed to, and must exist', async (t) => {
      const { context, token } = await open(t);
      const list = osc.listInstances(context, other, token);
      await assert.rejects(list, { message: `Service ${other} not found in your subscriptions` });
      await assert.rejects(context.getServiceAccessToken('nothing'), refusal(404, 'no such service'));
    });

    test('a revoked service access token is refused', async (t) => {
      const { context, token } = await open(t, '--service-token-ttl', '0');
      await assert.rejects(osc.getInstance(context, service, 'demo', token), osc.UnauthorizedError);
      const list = osc.listInstances(context, service, token);
      await assert.rejects(list, refusal(401, 'invalid service access token'));
    });

    test('a personal access token opens nothing once it is revoked', async (t) => {
      const workspace = await openWorkspace(t, route);
      await osc.listSubscriptions(workspace.context);
      await workspace.revokeAccess();
      const dead = refusal(401, 'invalid personal access token');
      await assert.rejects(osc.listSubscriptions(workspace.context), dead);
      await assert.rejects(workspace.context.getServiceAccessToken(service), dead);
      await assert.rejects(osc.saveSecret(service, 'key', 'value', workspace.context), dead);
    });

    test('an old instance has no links, and its old paths work', async (t) => {
      const { context, token } = await open(t, '--no-instance-links');
      assert.equal((await osc.getInstance(context, service, 'demo', token))._links, undefined);
      assert.equal(await osc.getInstanceHealth(context, service, 'demo', token), 'running');
      assert.equal((await osc.getLogsForInstance(context, service, 'demo', token)).length, 2);
      assert.equal((await osc.getPortsForInstance(context, service, 'demo', token)).length, 1);
      const restart = osc.restartInstance(context, service, 'demo', token);
      await assert.rejects(restart, { message: `Link restart not found for instance demo of service ${service}` });
      const scaling = osc.getInstanceScaling(context, service, 'demo', token);
      await assert.rejects(scaling, { message: `Instance demo of service ${service} does not support scaling` });
    });

    test('the tour succeeds and leaves only a secret and a subscription', async (t) => {
      const { context, token } = await open(t);
      const tour = spawnSync(process.execPath, ['--import', './hook.mjs', 'tour.mjs'], {
        cwd: fileURLToPath(new URL('.', import.meta.url)),
        env: { ...process.env, OSC_ACCESS_TOKEN: context.getPersonalAccessToken() },
        encoding: 'utf8',
      });
      assert.equal(tour.status, 0, tour.stderr);
      assert.deepEqual(names(await osc.listInstances(context, service, token)), ['demo']);
      const subscribed = await osc.listSubscriptions(context);
      assert.deepEqual(subscribed.map(({ serviceId }) => serviceId), [service, other]);
    });
  });
}
