// Keeps a page from showing the workspace of one user to the next. The server writes the user of a page into the page. The script
// asks the layer's session endpoint for the user of now, and tells the app's other tabs.
//
// It asks when a page loads, when its tab becomes visible, and once a minute while the tab is visible, because the user may sign
// out in another browser. The endpoint answers 200 to a signed-out visitor, so nothing fails.
const minute = 60_000;
const place = document.getElementById('session');
/** The page's own address. A page that answers a form has the address of the page with the form. */
const { here } = place.dataset;
const nobody = JSON.stringify(null);
/** The user whom the page shows, as text. A public page may show nobody. */
const shown = JSON.stringify(JSON.parse(place.dataset.user ?? nobody));
const tabs = new BroadcastChannel('osc-session');
let retry;

async function ask() {
  const answer = await fetch('/auth/session', { headers: { accept: 'application/json' } });
  const { signed_in, retry_after, workspace, user, expires_at } = await answer.json();
  clearTimeout(retry);
  if (typeof signed_in !== 'boolean') {
    // In an outage of the session store nobody can tell who the user is, and a proxy may answer with an error of its own. The page
    // stays as it is: if it left, the next page would ask again and leave too, for ever.
    if (retry_after) retry = setTimeout(update, retry_after * 1000);
    if (shown === nobody) place.textContent = 'This app cannot tell who you are right now';
    return;
  }
  const found = JSON.stringify(signed_in ? { user, workspace } : null);
  tabs.postMessage(found);
  compare(found);
  if (shown === nobody) place.textContent = signed_in ? `Signed in as ${[user, workspace].filter(Boolean).join(' in ')}` : 'Not signed in';
  if (!signed_in) return;
  const end = new Date(expires_at * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
  place.title = `Your session lasts until ${end}. Using this app extends it.`;
}

/** Hides a page of another user at once, and loads what the user of now may see. */
function compare(found) {
  if (shown === nobody || found === shown) return;
  document.documentElement.hidden = true;
  // A page that needs a session would begin a sign-in, and a provider that asks nothing would sign the user in again.
  location.replace(found === nobody ? '/' : here);
}

function update() {
  ask().catch(() => {});
}

update();
setInterval(() => document.visibilityState === 'visible' && update(), minute);
addEventListener('visibilitychange', () => document.visibilityState === 'visible' && update());
tabs.addEventListener('message', ({ data }) => compare(data));

// Browsers may keep a page for the Back button in spite of `no-store`, and would show it after a sign-out. So this page hides
// when it is left, and loads again when it comes back. Browsers keep no page with an open channel.
addEventListener('pagehide', () => {
  document.documentElement.hidden = true;
  tabs.close();
});
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) location.replace(here ?? location);
});
