import type { BuildLine, BuildSummary } from '../deploy/builds.sql.js';

export function buildJson({ id, slug, status, error, deploymentNumber, startedAt, endedAt }: BuildSummary) {
  return { id, slug, status, error, version: deploymentNumber, started_at: startedAt, ended_at: endedAt };
}

export function buildLineJson({ number, message, at }: BuildLine) {
  return { number, message, at };
}
