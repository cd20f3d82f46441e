import type { RequestContext, RequestSettings, Sql } from '#libs/platform';

/** The storage calls as policies know them through `storage.operation()`; the names are Supabase's. */
export type Operation =
  | 'storage.bucket.create'
  | 'storage.bucket.delete'
  | 'storage.bucket.empty'
  | 'storage.bucket.get'
  | 'storage.bucket.list'
  | 'storage.bucket.update'
  | 'storage.object.copy'
  | 'storage.object.delete'
  | 'storage.object.delete_many'
  | 'storage.object.get_authenticated'
  | 'storage.object.info_authenticated'
  | 'storage.object.list'
  | 'storage.object.move'
  | 'storage.object.sign'
  | 'storage.object.sign_many'
  | 'storage.object.sign_upload_url'
  | 'storage.object.upload'
  | 'storage.object.upload_signed'
  | 'storage.object.upload_update'
  | 'storage.render.image_authenticated';

/** What a caller's statements are to know of the request they serve. */
export function requestSettings(context: RequestContext, operation: Operation): RequestSettings {
  return { requestId: context.requestId, settings: { 'storage.operation': operation } };
}

/** The caller's own reads: each statement is a transaction of its own, in one round trip. */
export function callerReads(context: RequestContext, operation: Operation): Sql {
  const { project, caller } = context;
  const request = { ...requestSettings(context, operation), readOnly: true };
  return { query: (text, values) => project.database.queryAsCaller(caller, request, text, values) };
}
