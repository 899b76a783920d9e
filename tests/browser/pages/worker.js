// Answers every navigation from the network, with the browser's own request or with a copy of it.

const copies = new URL(self.location).searchParams.has('copy');

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (event) => {
  if (event.request.mode !== 'navigate') return;
  const { request } = event;
  event.respondWith(fetch(copies ? new Request(request, { headers: request.headers }) : request));
});
