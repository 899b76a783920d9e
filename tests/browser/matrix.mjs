// The browser matrix: rows are the ways to navigate, columns are the engines. Each case has an app and a provider of its own.

import { mkdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { killPrograms } from '../programs.mjs';
import { deepLinks } from './cases/deep-links.mjs';
import { detours } from './cases/detours.mjs';
import { requests } from './cases/requests.mjs';
import { streams } from './cases/streams.mjs';
import { engines } from './engines.mjs';
import { Stage } from './stage.mjs';

const cases = [...deepLinks, ...detours, ...requests, ...streams];
const results = new Map(cases.map(({ name }) => [name, new Map()]));
const versions = new Map();

/** WebKitGTK needs `webkit2gtk-driver` and `xvfb`, and takes as long as the others together. */
const columns = process.env.ENGINES ?? 'Chromium,Firefox';
const wanted = engines.filter(({ name }) => columns.split(',').includes(name));

async function onStage(run, engine, launch) {
  const stage = new Stage(engine, launch);
  try {
    await run(stage);
  } finally {
    await stage.stop();
  }
}

// Two at a time, because a case mostly waits.
describe('engines', { concurrency: 2 }, () => {
  for (const { name: engineName, launch } of wanted) {
    describe(engineName, () => {
      let engine;

      before(async () => {
        engine = await launch();
        versions.set(engineName, `${engineName} ${engine.version}`);
      });

      after(() => engine?.close());

      for (const { name, run } of cases) {
        test(name, { timeout: 120_000 }, async () => {
          results.get(name).set(engineName, 'no');
          await onStage(run, engine, launch).catch((error) => {
            // The driver lost track of a tab, which says nothing about the layer.
            if (error.name !== 'ProtocolError') throw error;
            return onStage(run, engine, launch);
          });
          results.get(name).set(engineName, 'yes');
        });
      }
    });
  }
});

after(() => {
  killPrograms();
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const table = [
    row(['case', ...wanted.map(({ name }) => versions.get(name) ?? name)]),
    row(['---', ...wanted.map(() => '---')]),
    ...cases.map(({ name }) => row([name, ...wanted.map((engine) => results.get(name).get(engine.name) ?? 'not run')])),
  ].join('\n');
  console.log(table);
  const out = fileURLToPath(new URL('./out', import.meta.url));
  mkdirSync(out, { recursive: true });
  writeFileSync(`${out}/matrix.md`, `${table}\n`);
});
