/** A row of `auth.sessions`, with how its person has proved who they are. */
export interface Session {
  id: string;
  user_id: string;
  aal: 'aal1' | 'aal2' | 'aal3' | null;
  /** `Infinity` for PostgreSQL's 'infinity'. */
  not_after: Date | number | null;
  /** The latest first; `timestamp` in seconds since 1970. */
  amr: { method: string; timestamp: number }[];
}

export function isExpired(session: Session): boolean {
  return session.not_after !== null && Number(session.not_after) < Date.now();
}
