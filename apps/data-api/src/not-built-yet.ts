import { Problem } from '@twilight/service/errors'

/**
 * The answer of an endpoint that is promised and does not exist yet.
 *
 *     route('GET', '/search', { … }, notBuiltYet('Web search'))
 */
export function notBuiltYet(what: { zh: string; en: string }): () => never {
  return () => {
    throw new Problem('not_implemented', {
      detail: `Not available yet: ${what.en}. Do not retry.`,
      detailZh: `${what.zh}尚未开放，请勿重试。`,
    })
  }
}
