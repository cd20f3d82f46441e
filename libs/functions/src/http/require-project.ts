import { AppError, type Project } from '#libs/platform';

/** @throws AppError `not_found` (404) when `ref` is not the project that the request reached. */
export function requireProject(project: Project, ref: string): void {
  if (project.ref === ref) return;
  throw new AppError({ code: 'not_found', status: 404, message: `There is no project ${ref}` });
}

export function invalidRequest(message: string): AppError {
  return new AppError({ code: 'invalid_request', status: 400, message });
}
