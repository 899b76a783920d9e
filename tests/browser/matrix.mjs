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
const versions = [];

const wanted = engines.filter(({ name }) => (process.env.ENGINES ?? name).includes(name));
for (const { name: engineName, launch } of wanted) {
  describe(engineName, () => {
    let engine;

    before(async () => {
      engine = await launch();
      versions.push(`${engineName} ${engine.version}`);
    });

    after(() => engine?.close());

    for (const { name, run } of cases) {
      test(name, { timeout: 60_000 }, async () => {
        const stage = new Stage(engine, launch);
        try {
          await run(stage);
          results.get(name).set(engineName, 'yes');
        } catch (error) {
          results.get(name).set(engineName, 'no');
          throw error;
        } finally {
          await stage.stop();
        }
      });
    }
  });
}

after(() => {
  killPrograms();
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const cells = (name) => wanted.map((engine) => results.get(name).get(engine.name) ?? 'not run');
  const table = [
    row(['case', ...versions]),
    row(['---', ...versions.map(() => '---')]),
    ...cases.map(({ name }) => row([name, ...cells(name)])),
  ].join('\n');
  console.log(table);
  const out = fileURLToPath(new URL('./out', import.meta.url));
  mkdirSync(out, { recursive: true });
  writeFileSync(`${out}/matrix.md`, `${table}\n`);
});
