import { describe, expect } from '@jest/globals';
import { withLibrary } from './library.js';

const { shows } = withLibrary({
  PGRST_SERVER_TIMING_ENABLED: 'true',
  PGRST_SERVER_TRACE_HEADER: 'X-Trace-Id',
  PGRST_DB_PLAN_ENABLED: 'true',
});
const like = (pattern: RegExp) => expect.stringMatching(pattern) as unknown as string;
const plan = (parameters = '') => ({ accept: `application/vnd.pgrst.plan${parameters}` });

describe('an answer', () => {
  shows([
    [
      'tells the milliseconds of each step in Server-Timing',
      {
        request: 'authors',
        answerHeaders: {
          'server-timing': like(
            /^jwt;dur=[\d.]+, parse;dur=[\d.]+, plan;dur=[\d.]+, sql;dur=[\d.]+, transaction;dur=[\d.]+, response;dur=[\d.]+$/,
          ),
        },
      },
    ],
    [
      'repeats the header that traces it',
      { request: 'authors', headers: { 'x-trace-id': '123' }, answerHeaders: { 'x-trace-id': '123' } },
    ],
    ['tells its length', { request: 'authors?select=id&id=eq.1', answerHeaders: { 'content-length': '10' } }],
    [
      'to HEAD does not tell its length',
      { request: 'HEAD authors', answer: undefined, answerHeaders: { 'content-length': null } },
    ],
    [
      'to HEAD tells what went wrong in Proxy-Status',
      {
        request: 'HEAD authors?nothing=eq.1',
        status: 400,
        answer: undefined,
        answerHeaders: { 'proxy-status': 'PostgREST; error=42703' },
      },
    ],
    ['does not name the program', { request: 'authors', answerHeaders: { server: null } }],
  ]);
});

describe('a plan', () => {
  shows([
    ['is text by default', { request: 'authors', headers: plan(), answer: like(/^Aggregate {2}\(cost=/) }],
    [
      'is JSON with +json',
      { request: 'authors', headers: plan('+json'), answer: [{ Plan: { 'Node Type': 'Aggregate' } }] },
    ],
    [
      'is of another representation with for',
      {
        request: 'authors',
        headers: plan('; for="text/csv"'),
        answerHeaders: { 'content-type': like(/for="text\/csv"/) },
      },
    ],
    [
      'has what the options say',
      {
        request: 'authors',
        headers: plan('; options=analyze|verbose|settings|buffers|wal'),
        answer: like(/actual[^]*Output:[^]*Execution Time/),
      },
    ],
    [
      'shows that a filter uses an index',
      { request: 'books?id=eq.1', headers: plan(), answer: like(/Index Cond: \(id = 1\)/) },
    ],
    [
      'shows that a function is inlined',
      {
        request: 'rpc/all_books?id=eq.1',
        headers: plan(),
        answer: like(/^(?![^]*Function Scan)[^]*Index Cond/),
      },
    ],
  ]);
});
