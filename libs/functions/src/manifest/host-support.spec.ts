import { describe, expect, it } from '@jest/globals';
import { parseConfig } from '#libs/platform';
import type { FunctionRuntime } from '../function-runtime.provider.js';
import type { IsolationReport } from '../runtime/function-runtime.js';
import { HostSupport } from './host-support.js';
import { parseManifest } from './manifest.js';

describe('a host', () => {
  const supported = (network: IsolationReport['network'], permissions: object) => {
    const report = { network, memory: 'kernel', missing: [] } as unknown as IsolationReport;
    const runtime = { isolation: () => report } as FunctionRuntime;
    return new HostSupport(runtime, parseConfig({})).missing(parseManifest('pay', { permissions }));
  };

  it('without namespaces does not put secrets into requests, and says so', () => {
    const declared = { egress_secrets: { KEY: ['api.example.com'] } };
    expect(supported('permissions', declared)).toEqual([
      expect.stringMatching(/^permissions\.egress_secrets: this host allows no namespaces/),
    ]);
    expect(supported('namespace', declared)).toEqual([]);
    expect(supported('permissions', { secrets: ['KEY'] })).toEqual([]);
  });

  it('lets secrets be used at no private address that the operator did not allow', () => {
    expect(supported('namespace', { egress_secrets: { KEY: ['10.0.0.5'] } })).toEqual([
      'permissions.egress_secrets: 10.0.0.5:443 is not public; the operator can allow it with GALLEY_PRIVATE_HOSTS',
    ]);
  });
});
