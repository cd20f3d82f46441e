/** Tells workers that a function has work; the payload is `<project ref>/<function slug>`. */
export const workChannel = 'galley_work';

/** Each function has a queue of its own, so that a busy one delays no other. BullMQ forbids `:` in names. */
export function queueNameOf(projectRef: string, functionSlug: string): string {
  return `fn-${projectRef}-${functionSlug}`;
}
