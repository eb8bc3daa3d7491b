import { describe, expect, it } from 'vitest'
import { classifyTushareError } from './tushare-errors.ts'

const now = new Date('2026-11-20T10:20:30.500+08:00')
const nextMinute = new Date('2026-11-20T10:21:00+08:00')
const nextHour = new Date('2026-11-20T11:00:00+08:00')
const midnight = new Date('2026-11-21T00:00:00+08:00')
const details = '权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。'

describe('40203 means two things: the words decide, frequency first', () => {
  it.each([
    [`抱歉，您每分钟最多访问该接口500次，${details}`, nextMinute, { calls: 500, per: 'minute' }],
    [
      `抱歉，您访问接口(index_daily)频率超限(500次/分钟)，${details}`,
      nextMinute,
      { calls: 500, per: 'minute' },
    ],
    [
      `抱歉，您访问接口(stock_basic)频率超限(1次/小时)，${details}`,
      nextHour,
      { calls: 1, per: 'hour' },
    ],
    [
      `抱歉，您访问接口(report_rc)频率超限(10次/天)，${details}`,
      midnight,
      { calls: 10, per: 'day' },
    ],
    [`抱歉，您每天最多访问该接口8000次，${details}`, midnight, { calls: 8000, per: 'day' }],
    ['请求过于频繁', nextMinute, undefined],
  ])('%s', (message, retryAt, limit) => {
    const verdict = classifyTushareError(40_203, message, now)
    expect(verdict).toMatchObject({ kind: 'quota', retryAt })
    expect(verdict.limit).toEqual(limit)
  })

  it('without a word about frequency it is the permission', () => {
    expect(classifyTushareError(40_203, `抱歉，您没有接口访问权限，${details}`, now).kind).toBe(
      'no_permission',
    )
    expect(classifyTushareError(40_203, '积分不足', now).kind).toBe('no_permission')
  })
})

it.each([
  [40_101, '您的token不对，请确认。', 'bad_token'],
  [40_101, '不是合格的json格式，EOF', 'bad_request'],
  [40_204, '您的IP数量超限，最大数量为2个！', 'too_many_addresses'],
  [40_001, '您的IP数量超限，最大数量为5个！', 'too_many_addresses'],
  [-2001, '必填参数, trade_date', 'bad_request'],
  [-2002, '', 'no_permission'],
  [40_299, '', 'quota'],
  [50_000, '系统繁忙', 'unknown_error'],
])('%i %s is %s', (code, message, kind) => {
  expect(classifyTushareError(code, message, now).kind).toBe(kind)
})
