// A tour of OSC's own client in a fixed order, for comparison with the requests of another client. Run it
// with the hook:
//
//   OSC_PLATFORM=… OSC_ROUTE=path OSC_ACCESS_TOKEN=… node --import ./hook.mjs tour.mjs

import * as osc from '@osaas/client-core';

const service = 'eyevinn-test-adserver';
const name = 'tour';
const context = new osc.Context();

const token = await context.getServiceAccessToken(service);
await osc.listInstances(context, service, token);
await osc.createInstance(context, service, token, { name, description: 'Made on the tour', level: 'debug' });
await osc.getInstance(context, service, name, token);
await osc.getInstanceHealth(context, service, name, token);
await osc.getLogsForInstance(context, service, name, token);
await osc.getPortsForInstance(context, service, name, token);
await osc.restartInstance(context, service, name, token);
await osc.getInstanceScaling(context, service, name, token);
await osc.scaleInstanceReplicas(context, service, name, 2, token);
await osc.saveSecret(service, 'key', 'value', context);
await osc.removeInstance(context, service, name, token);
await context.getServiceAccessToken('minio-minio');
await osc.listSubscriptions(context);

const jobs = 'eyevinn-ffmpeg-s3';
const jobToken = await context.getServiceAccessToken(jobs);
await osc.createJob(context, jobs, jobToken, { name, cmdLineArgs: '-i in out' });
await osc.listJobs(context, jobs, jobToken);
await osc.waitForJobToComplete(context, jobs, name, jobToken);
await osc.getJob(context, jobs, name, jobToken);
await osc.removeJob(context, jobs, name, jobToken);
await osc.removeSubscription(context, jobs);
