type ProblemKind = { status: ProblemStatus; en: string; zh: string }

export type ProblemStatus =
  | 400
  | 401
  | 403
  | 404
  | 405
  | 408
  | 409
  | 413
  | 415
  | 422
  | 429
  | 431
  | 500
  | 501
  | 503
  | 504

/**
 * Every way a request can fail, and nothing else. A code is a promise to clients: add, never rename.
 * The status says what a client should do, the code says why.
 */
export const problemCodes = {
  // The request itself
  invalid_parameter: { status: 400, en: 'Invalid parameter', zh: '参数无效' },
  malformed_request: { status: 400, en: 'Malformed request', zh: '请求格式错误' },
  malformed_json: { status: 400, en: 'Body is not valid JSON', zh: '请求体不是有效的 JSON' },
  ambiguous_code: { status: 400, en: 'Several instruments fit', zh: '有多个证券符合' },
  idempotency_key_missing: {
    status: 400,
    en: 'Idempotency-Key is missing',
    zh: '缺少 Idempotency-Key',
  },
  not_found: { status: 404, en: 'No such resource', zh: '资源不存在' },
  method_not_allowed: { status: 405, en: 'Method not allowed', zh: '不支持该请求方法' },
  request_timeout: { status: 408, en: 'The request took too long to arrive', zh: '请求接收超时' },
  conflict: { status: 409, en: 'Conflict with the current state', zh: '与当前状态冲突' },
  idempotency_in_progress: {
    status: 409,
    en: 'The same request is still running',
    zh: '相同请求正在处理',
  },
  payload_too_large: { status: 413, en: 'Body too large', zh: '请求体过大' },
  unsupported_media_type: { status: 415, en: 'Unsupported media type', zh: '不支持的内容类型' },
  idempotency_key_reused: {
    status: 422,
    en: 'Idempotency-Key was used for another request',
    zh: 'Idempotency-Key 已用于其他请求',
  },
  headers_too_large: { status: 431, en: 'Headers too large', zh: '请求头过大' },

  // Who asks
  missing_credentials: { status: 401, en: 'API key is missing', zh: '缺少 API 密钥' },
  invalid_token: { status: 401, en: 'API key is not valid', zh: 'API 密钥无效' },
  key_revoked: { status: 403, en: 'API key was revoked', zh: 'API 密钥已被吊销' },
  subscription_expired: { status: 403, en: 'The pass has expired', zh: '通行证已到期' },
  plan_required: { status: 403, en: 'A higher plan is required', zh: '需要更高的套餐' },
  forbidden: { status: 403, en: 'Not allowed', zh: '没有权限' },
  rate_limited: { status: 429, en: 'Too many requests', zh: '请求过于频繁' },
  quota_exceeded: { status: 429, en: 'Quota used up', zh: '额度已用完' },

  // Absence: what was asked for does not exist, and we know it
  no_data: { status: 404, en: 'No data for this period', zh: '该时段没有数据' },
  not_trading_day: { status: 404, en: 'Not a trading day', zh: '非交易日' },
  not_published_yet: { status: 404, en: 'Not published yet', zh: '尚未发布' },
  future_date: { status: 404, en: 'The date lies in the future', zh: '日期尚未到来' },
  before_listing: { status: 404, en: 'Not listed yet on that day', zh: '当日尚未上市' },
  suspended: { status: 404, en: 'Trading was suspended', zh: '停牌' },
  delisted: { status: 404, en: 'Delisted', zh: '已退市' },
  not_covered: { status: 404, en: 'Not covered by this service', zh: '暂未覆盖' },
  unknown_code: { status: 404, en: 'Unknown code', zh: '未知代码' },

  // Us and those behind us: asking again later may help
  internal: { status: 500, en: 'Internal error', zh: '内部错误' },
  not_implemented: { status: 501, en: 'Not built yet', zh: '功能尚未开放' },
  source_unavailable: {
    status: 503,
    en: 'The data source cannot be reached',
    zh: '数据源暂不可用',
  },
  overloaded: { status: 503, en: 'Too busy to take this on', zh: '服务繁忙' },
  service_unavailable: { status: 503, en: 'The service is not available now', zh: '服务暂不可用' },
  upstream_timeout: {
    status: 504,
    en: 'The data source did not answer in time',
    zh: '数据源响应超时',
  },
} as const satisfies Record<string, ProblemKind>

export type ProblemCode = keyof typeof problemCodes
