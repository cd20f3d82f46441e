import type { Metrics } from '#libs/platform';
import type { Autoscaler, ScaledFunction } from './autoscaler.js';
import type { Consumers } from './consumers.js';

/** What an operator, or KEDA, scales workers by. Of functions without work there is nothing. */
export function tellQueues(metrics: Metrics, consumers: Consumers, autoscaler: Autoscaler): void {
  metrics.gauge(
    'galley_queue_jobs',
    'Jobs of the functions whose queues this worker serves now.',
    ['project', 'function', 'state'],
    async (gauge) => {
      gauge.reset();
      for (const { projectRef, functionSlug, ...counts } of await consumers.queues()) {
        const of = { project: projectRef, function: functionSlug };
        for (const [state, count] of Object.entries(counts)) gauge.set({ ...of, state }, count);
      }
    },
  );
  const tell = (name: string, help: string, valueOf: (scaled: ScaledFunction) => number) =>
    metrics.gauge(name, help, ['project', 'function'], (gauge) => {
      gauge.reset();
      for (const scaled of autoscaler.functions) {
        gauge.set({ project: scaled.projectRef, function: scaled.functionSlug }, valueOf(scaled));
      }
    });
  tell(
    'galley_function_desired_instances',
    'Instances that this worker gives the events of a function, as last decided.',
    ({ decision }) => decision.instances,
  );
  tell(
    'galley_function_oldest_event_age_seconds',
    'How long the oldest event waits that nobody has begun.',
    ({ oldestAgeMs }) => oldestAgeMs / 1000,
  );
}
