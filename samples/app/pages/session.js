// Shows the signed-in user. The layer's session endpoint answers 200 in either case, so a signed-out visitor
// causes no 401.
const place = document.getElementById('session');

async function show() {
  const answer = await fetch('/auth/session', { headers: { accept: 'application/json' } });
  const { signed_in, workspace, user, expires_at } = await answer.json();
  if (signed_in === null) {
    place.textContent = 'Sign-in status unknown right now';
  } else if (!signed_in) {
    place.textContent = 'Not signed in';
  } else {
    const end = new Date(expires_at * 1000).toLocaleString([], { dateStyle: 'medium', timeStyle: 'short' });
    const as = [user, workspace].filter(Boolean).join(' in ');
    place.textContent = `Signed in${as && ` as ${as}`}, until ${end}`;
    place.title = 'Using this app extends the session.';
  }
}

show().catch(() => {});
