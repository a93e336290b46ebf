import { Ajv, type Options } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifySchemaCompiler } from 'fastify';

// Unknown members are neither removed nor let pass: a schema with `additionalProperties: false` refuses them.
// One error is enough: collecting all of them lets a hostile body buy unbounded work.
const options: Options = { removeAdditional: false, useDefaults: true, allErrors: false, strict: false };

/** JSON bodies are taken as they are; queries, parameters and headers, which are all strings, become what the schema says. */
export function createValidatorCompiler(): FastifySchemaCompiler<unknown> {
  const strict = new Ajv({ ...options, coerceTypes: false });
  const coercing = new Ajv({ ...options, coerceTypes: 'array' });
  addFormats.default(strict);
  addFormats.default(coercing);
  return ({ schema, httpPart }) => {
    if (typeof schema !== 'object' && typeof schema !== 'boolean') throw new Error('A schema is an object');
    return (httpPart === 'body' ? strict : coercing).compile(schema ?? true);
  };
}
