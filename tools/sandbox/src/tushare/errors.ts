/** A refusal in Tushare's own words: HTTP 200, a code, and data null. */
export class TushareError extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

const details = '权限的具体详情访问：https://tushare.pro/document/1?doc_id=108。'

export type Window = 'minute' | 'hour' | 'day'

export const errors = {
  unreadable: () => new TushareError(40_101, '不是合格的json格式，EOF'),
  badToken: () => new TushareError(40_101, '您的token不对，请确认。'),
  noPermission: () => new TushareError(40_203, `抱歉，您没有接口访问权限，${details}`),
  /** The root path still speaks the old sentence, /dataapi the new one. */
  tooFast: (api: string, limit: number, window: Window, newWording: boolean) => {
    const { every, unit } = {
      minute: { every: '每分钟', unit: '分钟' },
      hour: { every: '每小时', unit: '小时' },
      day: { every: '每天', unit: '天' },
    }[window]
    return newWording
      ? new TushareError(40_203, `抱歉，您访问接口(${api})频率超限(${limit}次/${unit})，${details}`)
      : new TushareError(40_203, `抱歉，您${every}最多访问该接口${limit}次，${details}`)
  },
  tooManyAddresses: (limit: number) =>
    new TushareError(40_204, `您的IP数量超限，最大数量为${limit}个！`),
  required: (name: string) => new TushareError(-2_001, `必填参数, ${name}`),
  badParameter: (name: string) => new TushareError(-2_001, `参数错误, ${name}`),
  unknownApi: () => new TushareError(-2_001, '参数错误, 请指定正确的接口名'),
}
