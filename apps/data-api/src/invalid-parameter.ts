import { Problem } from '@twilight/service/errors'

/** A 400 for what a schema of single fields cannot say. */
export function invalidParameter(parameter: string, detail: string): Problem {
  return new Problem('invalid_parameter', {
    detail: `Not valid: ${parameter}`,
    errors: [{ parameter, in: 'query', detail }],
  })
}
