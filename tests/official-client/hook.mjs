// Load this before OSC's own client (`node --import ./hook.mjs`). The client knows OSC's addresses only, and
// this hook sends its requests to the mock at OSC_PLATFORM instead. OSC_ROUTE decides how the mock recognises
// the service:
//
//   host   by OSC's host name in the Host header. The mock then answers with URLs in OSC's format.
//   path   by the first segment of the path, as for an app with OSC_PLATFORM.

import { once } from 'node:events';
import http from 'node:http';
import { buffer } from 'node:stream/consumers';

// The platform's hosts in its environment, and the APIs on a site of it. A tenant's own instance matches
// neither.
const ofOsc = /^([a-z]+\.svc\.[a-z]+|api-[a-z0-9-]+\.auto\.[a-z]+-[a-z]+)\.osaas\.io$/;
const fetchAsIs = globalThis.fetch;

/** Functions that send a request for one of OSC's URLs to the mock. */
const routes = {
  host: (url, options, mock) => fetchWithHost(new URL(url.pathname + url.search, mock), options, url.host),
  path: (url, options, mock) => {
    const [service] = url.host.split('.');
    return fetchAsIs(new URL(`/${service}${url.pathname}${url.search}`, mock), options);
  },
};

globalThis.fetch = async (address, options = {}) => {
  const { OSC_PLATFORM, OSC_ROUTE } = process.env;
  const [url, mock] = [new URL(address), new URL(OSC_PLATFORM)];
  if (ofOsc.test(url.host)) return routes[OSC_ROUTE](url, options, mock);
  if (url.host !== mock.host) throw new Error(`${url} is neither OSC's nor the mock's`);
  // The client joins links to 'https://' and the host of the `apiUrl`, and ignores the scheme of the
  // `apiUrl`.
  return fetchAsIs(new URL(url.pathname + url.search, mock), options);
};

/** Sends a request with a Host header, which Node's own fetch would drop. */
async function fetchWithHost(url, { method = 'GET', headers, body = '' }, host) {
  const length = Buffer.byteLength(body);
  // Node sends no content length with the body of a DELETE.
  const sent = { ...Object.fromEntries(new Headers(headers)), ...(length && { 'content-length': length }), host };
  const request = http.request(url, { method, headers: sent });
  request.end(body);
  const [answer] = await once(request, 'response');
  const received = await buffer(answer);
  return new Response(received.length ? received : null, {
    status: answer.statusCode,
    statusText: answer.statusMessage,
    headers: Object.entries(answer.headers),
  });
}
