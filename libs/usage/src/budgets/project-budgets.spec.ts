import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { InvocationRecord } from '../invocation-record.js';
import { presets } from '../prices/presets.js';
import { budgetList } from './budget.js';
import { ProjectBudgets } from './project-budgets.js';

const now = new Date('2026-11-30T23:30:00Z');

function ended(functionSlug: string, startedAt: Date, wallMs = 100): InvocationRecord {
  return {
    id: '00000000-0000-4000-8000-000000000000',
    projectRef: 'local',
    functionSlug,
    deploymentId: '00000000-0000-4000-8000-000000000001',
    trigger: 'http',
    deliveryId: null,
    attempt: 1,
    requestId: 'r',
    start: 'warm',
    status: 'succeeded',
    httpStatus: 200,
    error: null,
    startedAt,
    wallMs,
    cpuMs: 5,
    peakMemoryBytes: 1,
    memoryBytes: 2 ** 29,
    bootMs: null,
    bytesIn: 0,
    bytesOut: 0,
  };
}

function budgetsOf(list: object[], running = new Map<string, number>(), book = presets['aws-lambda']!) {
  return new ProjectBudgets({ budgets: budgetList.parse(list), book, used: [], now }, running);
}

describe('the budgets of a project', () => {
  it('are over when the day of UTC is, and with it perhaps the month', () => {
    const budgets = budgetsOf([
      { measure: 'invocations', most: 1, period: 'day' },
      { measure: 'gb_ms', most: 1, period: 'month' },
    ]);
    expect(budgets.isOver(new Date('2026-11-30T23:59:59.999Z'))).toBe(false);
    expect(budgets.isOver(new Date('2026-12-01T00:00:00Z'))).toBe(true);
    for (const { resetsAt } of budgets.states()) expect(resetsAt).toEqual(new Date('2026-12-01T00:00:00Z'));
  });

  it('have of a day and of a month what began in it', () => {
    const budgets = budgetsOf([
      { measure: 'invocations', most: 10, period: 'day' },
      { measure: 'invocations', most: 10, period: 'month' },
    ]);
    for (const at of [
      '2026-10-31T23:59:59.999Z',
      '2026-11-01T00:00:00Z',
      '2026-11-29T23:59:59.999Z',
      '2026-11-30T00:00:00Z',
    ]) {
      budgets.add(ended('f', new Date(at)));
    }
    expect(budgets.states().map(({ used }) => used)).toEqual([1, 3]);
  });

  it('count what is under way as begun, of their function or of all', () => {
    const running = new Map([
      ['f', 2],
      ['g', 1],
    ]);
    const budgets = budgetsOf(
      [
        { measure: 'invocations', most: 4 },
        { function: 'f', measure: 'invocations', most: 3 },
      ],
      running,
    );
    expect(budgets.exceeded('f')).toBeUndefined();
    running.set('g', 2);
    expect(budgets.exceeded('g')).toMatchObject({ function: null, used: 4, most: 4 });
    running.set('g', 1);
    running.set('f', 3);
    expect(budgets.exceeded('f')).toMatchObject({ used: 4 });
    running.delete('g');
    expect(budgets.exceeded('f')).toMatchObject({ function: 'f', used: 3 });
    expect(budgets.exceeded('g')).toBeUndefined();
  });

  it('cost what their records cost, whatever those are', () => {
    const call = fc.record({
      slug: fc.constantFrom('f', 'g'),
      wallMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(call), (calls) => {
        const budgets = budgetsOf([
          { measure: 'cost', most: 1 },
          { function: 'g', measure: 'cost', most: 1 },
        ]);
        for (const { slug, wallMs } of calls) budgets.add(ended(slug, now, wallMs));
        const costOf = (own: typeof calls) =>
          own.reduce((sum, { wallMs }) => sum + 2e-7 + (0.5 * Math.ceil(wallMs) * 0.0000166667) / 1000, 0);
        const [all, g] = budgets.states().map(({ used }) => used);
        expect(all).toBeCloseTo(costOf(calls), 12);
        expect(g).toBeCloseTo(costOf(calls.filter(({ slug }) => slug === 'g')), 12);
      }),
    );
  });
});
