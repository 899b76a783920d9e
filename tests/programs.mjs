// Starts the programs under test and stops them. It needs only Node itself.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const binaries = path.join(process.env.CARGO_TARGET_DIR ?? path.join(here, '../target'), 'debug');
const running = new Set();

/** Kills the programs that a failed test left running. Their open pipes would keep this process alive. */
export function killPrograms() {
  for (const child of running) child.kill('SIGKILL');
}

/** A running program. It counts as started once `ready` returns a value for its output, which becomes `found`. */
export class Program {
  output = '';

  static async start(name, args, env, ready, folder = undefined) {
    const program = new Program();
    // The child gets only these variables, so that the settings of the user who runs the tests have no
    // effect.
    program.child = spawn(path.join(binaries, name), args, {
      env: { PATH: process.env.PATH, RUST_LOG: 'debug,osc_auth_layer=trace', RUST_BACKTRACE: '1', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: folder,
    });
    running.add(program.child);
    program.exited = once(program.child, 'exit');
    program.exited.finally(() => running.delete(program.child)).catch(() => {});
    program.found = await new Promise((resolve, reject) => {
      const read = (line) => {
        program.output += `${line}\n`;
        const found = ready(program.output);
        if (found) resolve(found);
      };
      createInterface(program.child.stdout).on('line', read);
      createInterface(program.child.stderr).on('line', read);
      program.child.on('error', reject);
      // 'close' instead of 'exit', because all output has been read by then.
      program.child.on('close', (code) => reject(new Error(`${name} ended with ${code}:\n${program.output}`)));
    });
    return program;
  }

  /** Sends SIGTERM, as a service manager does, and checks that the program exits cleanly. */
  async stop() {
    this.child.kill('SIGTERM');
    const [code, signal] = await this.exited;
    assert.deepEqual([code, signal], [0, null], this.output);
    assert.ok(!this.output.includes('panicked'), this.output);
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.exited;
  }
}

/** Starts the mock. `found` holds the environment variables that it prints for an app. */
export function startMock(...args) {
  return Program.start('mock-osc', ['--port', '0', ...args], {}, (output) => {
    const settings = Object.fromEntries([...output.matchAll(/^export (\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]));
    return settings.CLIENT_SECRET && settings;
  });
}
