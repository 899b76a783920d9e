// Event streams of a signed-in user.

async function streaming(stage) {
  await stage.start();
  const browser = await stage.browser();
  const tab = await browser.tab();
  await tab.open('/signed-in');
  await tab.isAtPage('/signed-in');
  await tab.open('/open/events.html');
  await tab.waitFor(() => counts.ticks === 1);
  return { ...browser, streaming: tab };
}

export const streams = [
  {
    name: 'EventSource: an outage ends, and the stream is there again',
    async run(stage) {
      const { streaming: tab } = await streaming(stage);
      await stage.steer('/outage/begin');
      await stage.steer('/end-streams');
      // The first error is the end of the stream, and the second is the outage.
      await tab.waitFor(() => counts.errors >= 2);
      await stage.steer('/outage/end');
      await tab.waitFor(() => counts.ticks === 2);
    },
  },
  {
    name: 'EventSource: a sign-out in another tab ends the stream',
    async run(stage) {
      const { streaming: tab, tab: another } = await streaming(stage);
      const other = await another();
      await other.open('/signed-in');
      await other.press('form button');
      await other.finds('#nobody');
      // The stream ends, and the browser's next request is refused, which closes the source for good.
      await tab.waitFor(() => counts.closed && counts.ticks === 1);
    },
  },
];
