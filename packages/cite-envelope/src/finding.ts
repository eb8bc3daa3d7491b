/** One thing wrong with a response. `path` is a JSON pointer (RFC 6901) into its body. */
export type Finding = { code: FindingCode; path: string; zh: string; en: string }

export type FindingCode = keyof typeof findingTexts

export function finding(code: FindingCode, path: string, detail = ''): Finding {
  const { zh, en } = findingTexts[code]
  const more = detail === '' ? '' : ` (${detail})`
  return { code, path, zh: `${zh}${more}`, en: `${en}${more}` }
}

const findingTexts = {
  not_an_answer: {
    zh: '这不是行情、财务或搜索的回答。',
    en: 'This is no answer with prices, claims or search results.',
  },
  too_many_items: { zh: '条目过多，没有全部核对。', en: 'Too many entries; not all were checked.' },
  malformed: { zh: '字段缺失或格式不对。', en: 'A field is missing or malformed.' },
  missing_cite: { zh: '数值没有引用来源。', en: 'A value has no cite.' },
  incomplete_cite: { zh: '引用来源不完整。', en: 'The cite is incomplete.' },
  older_form: {
    zh: '这是旧格式，有内容靠推断补全。',
    en: 'An older form: something in it had to be assumed.',
  },
  source_not_listed: {
    zh: 'served_by 里没有 source 所写的来源。',
    en: 'served_by does not list the source.',
  },
  value_mismatch: {
    zh: 'value 与 value_text 不是同一个数。',
    en: 'value and value_text are not the same figure.',
  },
  null_without_reason: {
    zh: '没有数值，也没有说明原因。',
    en: 'There is no value and no reason for that.',
  },
  as_of_after_fetch: {
    zh: '数据日期晚于取数时间（上海时间）。',
    en: 'as_of is later than the day of fetched_at in Shanghai.',
  },
  fetched_in_future: { zh: '取数时间在未来。', en: 'fetched_at lies in the future.' },
  cache_age_mismatch: {
    zh: '缓存时长与取数时间矛盾。',
    en: 'fetched_at and cache_age_seconds together lie in the future.',
  },
  stale_mismatch: {
    zh: 'stale 与 expected_as_of 矛盾。',
    en: 'stale contradicts expected_as_of.',
  },
  cross_check_mismatch: {
    zh: '交叉核对的数字互相矛盾。',
    en: 'The cross-check contradicts itself or the value.',
  },
  fetched_at_mismatch: {
    zh: '结果与引用中的取数时间不同。',
    en: 'The result and its cite disagree about fetched_at.',
  },
  duplicate_id: {
    zh: '同一个 tool_call_id 对应不同内容。',
    en: 'One tool_call_id stands for different contents.',
  },
  code_mismatch: { zh: '证券代码与所问的不同。', en: 'The code is not the one asked for.' },
  as_of_mismatch: {
    zh: '日期与所问或所述的不同。',
    en: 'The date is not the one asked for or stated.',
  },
  unanswered_code: {
    zh: '有代码既没有数据也没有说明。',
    en: 'A code was asked for and has neither a claim nor an absence.',
  },
  derived_incomplete: {
    zh: '计算结果没有写全运算、参数和舍入方式。',
    en: 'A derived claim must state op, derived_from and rounding.',
  },
  derived_input_missing: {
    zh: '缺少计算所用的数据，无法复算。',
    en: 'An argument of the computation is not at hand: pass its record.',
  },
  derived_cycle: { zh: '计算互相引用。', en: 'The computation rests on itself.' },
  derived_mismatch: { zh: '复算结果不同。', en: 'Computing it again gives something else.' },
  record_missing: {
    zh: '没有这个 tool_call_id 的记录。',
    en: 'There is no record of this tool_call_id.',
  },
  record_mismatch: { zh: '内容与记录不同。', en: 'The content differs from its record.' },
} as const satisfies Record<string, { zh: string; en: string }>
