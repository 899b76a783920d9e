// Takes the picture of the README: node screenshot.mjs

import { fileURLToPath } from 'node:url';
import { killPrograms, launchBrowser, startSample } from './harness.mjs';

const picture = fileURLToPath(new URL('../../samples/screenshot.png', import.meta.url));
const browser = await launchBrowser();
const app = await startSample('osc-sample-axum');
const page = await browser.newPage({ viewport: { width: 960, height: 640 }, deviceScaleFactor: 1.5 });
await page.goto(`${app.found}/dashboard`);
await page.locator('#allow').click();
await page.getByRole('textbox', { name: 'Only you see it.' }).fill('Ask for a bigger plan before the launch.');
await page.getByRole('button', { name: 'Save' }).click();
await page.waitForURL(`${app.found}/dashboard*`);
await page.mouse.move(0, 0);
await page.screenshot({ path: picture, fullPage: true });
await browser.close();
killPrograms();
