import { answerBatch, batchPath, isBatch } from '../batch/answer-batch.js';
import { pgrstError } from '../errors.js';
import { settingsOfRole } from '../guards/role-guards.js';
import type { HttpResponse } from '../response/http-response.js';
import { answerRequest } from './answer-request.js';
import type { Execution } from './execute.js';
import { answerOptions } from './options.js';
import { describeSchema, rootAnswer, rootCall } from './root.js';
import type { ServerTiming } from './server-timing.js';

/** Answers one request of the data API. */
export async function rest(asked: Execution, timing: ServerTiming): Promise<HttpResponse> {
  const settings = settingsOfRole(asked.settings, asked.caller.role);
  const execution = settings === asked.settings ? asked : { ...asked, settings };
  const response = await answer(execution, timing);
  if (!execution.settings.serverTimingEnabled) return response;
  return { ...response, headers: { ...response.headers, 'server-timing': timing.header } };
}

async function answer(execution: Execution, timing: ServerTiming): Promise<HttpResponse> {
  const { http, settings } = execution;
  if (http.path === batchPath && (await isBatch(execution))) return answerBatch(execution, timing);
  if (http.path !== '') {
    return http.method === 'OPTIONS'
      ? answerOptions(execution, timing)
      : answerRequest(execution, http, timing);
  }
  if (settings.openapiMode === 'disabled') {
    throw pgrstError('PGRST126', { message: 'Root endpoint metadata is disabled' });
  }
  if (http.method === 'OPTIONS') return answerOptions(execution, timing);
  if (!settings.rootSpec) return describeSchema(execution, timing);
  return rootAnswer(await answerRequest(execution, rootCall(http, settings.rootSpec.name), timing), http);
}
