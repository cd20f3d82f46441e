import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Cgroups } from './cgroups.js';

const megabyte = 2 ** 20;
const threads = 100;

describe('version 2', () => {
  let mounted: string;
  let own: string;

  beforeEach(() => {
    // Files and directories as the kernel shows them, save that nothing acts on them.
    mounted = mkdtempSync(join(tmpdir(), 'galley-cgroup-'));
    writeFileSync(join(mounted, 'cgroup.controllers'), 'cpu memory pids');
    const [, path = '/'] = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8')) ?? [];
    own = join(mounted, path);
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, 'cgroup.subtree_control'), '');
  });
  afterEach(() => rmSync(mounted, { recursive: true, force: true }));

  it('moves the server down, so that groups beside it can have limits', () => {
    expect(Cgroups.detect('it', threads, mounted)?.version.name).toBe('v2');
    expect(readFileSync(join(own, 'galley_server', 'cgroup.procs'), 'utf8')).toBe(`${process.pid}`);
    expect(readFileSync(join(own, 'cgroup.subtree_control'), 'utf8')).toBe('+memory +pids');
  });

  it('is found again by a process that was moved', () => {
    Cgroups.detect('it', threads, mounted);
    const moved = '0::/there/galley_server\n';
    const there = join(mounted, 'there');
    mkdirSync(join(there, 'galley_server'), { recursive: true });
    writeFileSync(join(there, 'cgroup.subtree_control'), '+memory +pids');
    expect(Cgroups.detect('builds', threads, mounted, moved)?.version.name).toBe('v2');
    expect(existsSync(join(there, 'galley-builds'))).toBe(true);
  });

  it('bounds a process before it is in the group', async () => {
    const group = Cgroups.detect('it', threads, mounted)!.make('7', 128 * megabyte);
    await group.enter(4242);
    const file = (name: string) => readFileSync(join(own, 'galley-it', '7', name), 'utf8');
    expect([file('memory.max'), file('pids.max'), file('cgroup.procs')]).toEqual([
      `${192 * megabyte}`,
      '100',
      '4242',
    ]);
    writeFileSync(join(own, 'galley-it', '7', 'memory.events'), 'oom 3\noom_kill 0\n');
    expect(group.ranOutOfMemory()).toBe(false);
    writeFileSync(join(own, 'galley-it', '7', 'memory.events'), 'oom 3\noom_kill 1\n');
    expect(group.ranOutOfMemory()).toBe(true);
  });

  it('is done without where the group may not be written', () => {
    rmSync(join(own, 'cgroup.subtree_control'));
    expect(Cgroups.detect('it', threads, mounted)).toBeNull();
  });
});

const here = process.getuid?.() === 0 ? Cgroups.detect('spec', threads) : null;
const where = here ? describe : describe.skip;

where('on this host', () => {
  it('a process that takes more than it may is killed, and that is known', async () => {
    // Waits for a line, so that it is in its group before it begins.
    const script = 'read x; head -c 400m /dev/zero | tail -c 400m';
    const child = spawn('/bin/sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'] });
    const group = here!.make('hungry', 32 * megabyte);
    await group.enter(child.pid!);
    child.stdin.write('\n');
    await once(child, 'exit');
    expect(group.ranOutOfMemory()).toBe(true);
    group.remove();
    here!.close();
    expect(existsSync('/sys/fs/cgroup/memory/galley-spec')).toBe(false);
  });
});
