import type { Logger, Metrics, PlatformDatabase, ProjectRegistry } from '#libs/platform';
import { oldestEventAgeMs, openEvents } from './backlog.js';

/**
 * What workers are started by. Servers tell it, because there may be no worker yet; each of them tells it of the whole
 * installation. What cannot be found out is left out: a 0 would send workers home.
 */
export function tellBacklog(
  metrics: Metrics,
  platform: PlatformDatabase,
  projects: ProjectRegistry,
  logger: Logger,
): void {
  const tell = (name: string, help: string, read: () => Promise<number>) =>
    metrics.gauge(name, help, [], async (gauge) => {
      try {
        gauge.set(await read());
      } catch (error) {
        gauge.remove();
        logger.warn({ err: error, metric: name }, 'A metric could not be found out');
      }
    });
  tell(
    'galley_events_open',
    'Events of the installation that no function is done with: committed, queued or being run.',
    () => openEvents(platform, projects.all()),
  );
  tell(
    'galley_event_oldest_age_seconds',
    'How long the oldest event of the installation waits that nobody has begun.',
    async () => (await oldestEventAgeMs(platform, projects.all())) / 1000,
  );
}
