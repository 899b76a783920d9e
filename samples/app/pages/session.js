// Shows the signed-in user. The layer's session endpoint answers 200 in either case, so a signed-out visitor
// causes no 401. In an outage of the session store nobody can tell, so the script asks again.
const place = document.getElementById('session');

async function show() {
  const answer = await fetch('/auth/session', { headers: { accept: 'application/json' } });
  const { signed_in, retry_after, workspace, user, expires_at } = await answer.json();
  if (signed_in === null) {
    place.textContent = 'This app cannot tell who you are right now';
    setTimeout(update, retry_after * 1000);
  } else if (!signed_in) {
    place.textContent = 'Not signed in';
  } else {
    const end = new Date(expires_at * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
    const as = [user, workspace].filter(Boolean).join(' in ');
    place.textContent = `Signed in${as && ` as ${as}`}, until ${end}`;
    place.title = 'Using this app extends the session.';
  }
}

function update() {
  show().catch(() => {});
}

update();

// Browsers may keep a page for the Back button in spite of `no-store`, and would show it after a sign-out. So this page hides
// when it is left, and loads again when it comes back.
addEventListener('pagehide', () => {
  document.documentElement.hidden = true;
});
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
