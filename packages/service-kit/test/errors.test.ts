import { errorCodes } from '@coffer/contracts';
import t from 'tap';
import { AppError, appError, isAppError, toProblem } from '../src/index.ts';

t.test('each code has its status and title, and a problem of its own', (t) => {
  for (const [code, [status, title]] of Object.entries(errorCodes)) {
    const error = appError(code as keyof typeof errorCodes);
    t.match(error, { code, status, title, detail: title });
    t.match(toProblem(error, 'r1').body, { type: 'about:blank', status, title, code, requestId: 'r1', errors: [] });
  }
  t.end();
});

t.test('detail, field errors and headers are kept; the cause is not shown', (t) => {
  const cause = new Error('mongodb://user:pass@host');
  const error = appError('rate_limited', 'Slow down', {
    errors: [{ path: '/a', message: 'no' }],
    headers: { 'retry-after': '3' },
    cause,
  });
  t.ok(isAppError(error, 'rate_limited') && error instanceof AppError);
  t.notOk(isAppError(error, 'not_found'));
  t.equal(error.cause, cause);
  const problem = toProblem(error, 'r');
  t.same(problem.headers, { 'retry-after': '3' });
  t.same(problem.body.errors, [{ path: '/a', message: 'no' }]);
  t.notMatch(JSON.stringify(problem), /mongodb/);
  t.end();
});

t.test('an unknown error shows nothing of the inside', (t) => {
  for (const error of [new Error('secret detail'), 'secret text', null, { statusCode: 200, message: 'secret' }]) {
    const { status, body } = toProblem(error, 'r');
    t.equal(status, 500);
    t.equal(body.code, 'internal');
    t.notMatch(JSON.stringify(body), /secret/);
  }
  t.end();
});

t.test('expected failures carry no stack, unexpected ones do', (t) => {
  t.notMatch(appError('not_found').stack, /at /);
  t.match(appError('internal').stack, /errors\.test/);
  t.end();
});
