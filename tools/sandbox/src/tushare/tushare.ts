import { createHash } from 'node:crypto'
import type { DoubleFault } from '../fault-kinds.ts'
import type { Answer, Call, Double, Surroundings, ThirdParty } from '../third-party.ts'
import { type Accounts, createAccounts } from './accounts.ts'
import { answerRows, type Page } from './answer-rows.ts'
import { errors, TushareError } from './errors.ts'
import type { Interface, RowRequest } from './interface.ts'
import { interfaces } from './interfaces.ts'
import { spoilNumbers, tellLie } from './lies.ts'
import { readParams } from './params.ts'
import { createPublication } from './publication.ts'

/** Tushare Pro as its official SDK speaks to it: POST / and POST /dataapi/{api}, HTTP 200 even for errors. */
export const tushare: ThirdParty = {
  name: 'tushare',
  title: 'Tushare Pro',
  docs: 'POST / 或 POST /dataapi/{api_name}；令牌与积分见 docs/sandbox.md。',
  endpoints: [...interfaces.keys()],
  open: openTushare,
}

type Question = {
  api: string
  token: unknown
  params: unknown
  fields: unknown
  newWording: boolean
}

function openTushare(surroundings: Surroundings): Double {
  const { clock, market, config } = surroundings
  const accounts = createAccounts(surroundings)
  const served = new Map<string, number>()

  const answerPage = (call: Call): Page => {
    const question = readQuestion(call)
    const { api, request } = admit(question, call, accounts, {
      market,
      published: createPublication(clock.now()),
    })
    const nthCall = (served.get(api.name) ?? 0) + 1
    served.set(api.name, nthCall)
    return answerRows(api, request, {
      fields: readFields(question.fields),
      maxRows: config.tushareMaxRows,
      nthCall,
    })
  }
  const answer = (call: Call, change: (page: Page) => Page = (page) => page): Answer => {
    const requestId = createHash('md5').update(`${call.body} ${clock.now()}`).digest('hex')
    try {
      return envelope(
        { request_id: requestId, code: 0, msg: '', detail: null, data: change(answerPage(call)) },
        'ok',
      )
    } catch (error) {
      if (error instanceof TushareError) return refuse(error, requestId)
      throw error
    }
  }
  let told = 0
  return {
    http: {
      endpointOf: (call) => findEndpoint(call),
      answer: (call) => answer(call),
      answerFault: (kind, call) => {
        told += 1
        return answerFault(kind, call, { accounts, answer, turn: told })
      },
    },
    reset: () => {
      accounts.reset()
      served.clear()
      told = 0
    },
  }
}

/** The name a call is counted under; anything unreadable is one endpoint of its own. */
function findEndpoint(call: Call): string {
  try {
    const { api } = readQuestion(call)
    return interfaces.has(api) ? api : '(unknown api)'
  } catch {
    // The refusal itself is the answer's business; here the call only needs a name.
    return '(unreadable)'
  }
}

function readQuestion(call: Call): Question {
  if (call.method !== 'POST') throw errors.unreadable()
  let body: unknown
  try {
    body = JSON.parse(call.body)
  } catch {
    // Tushare says the same for every unreadable body.
    throw errors.unreadable()
  }
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw errors.unreadable()
  const named = /^\/dataapi\/([a-z0-9_]{1,64})$/.exec(call.path)?.[1]
  const { api_name: apiName, token, params, fields } = { ...emptyQuestion, ...body }
  return {
    api: named ?? (typeof apiName === 'string' ? apiName : ''),
    token,
    params,
    fields,
    newWording: named !== undefined,
  }
}

const emptyQuestion: Record<'api_name' | 'token' | 'params' | 'fields', unknown> = {
  api_name: undefined,
  token: undefined,
  params: undefined,
  fields: undefined,
}

/** The checks in the server's order: who are you, what do you want, may you, is it complete. */
function admit(
  question: Question,
  call: Call,
  accounts: Accounts,
  given: Pick<RowRequest, 'market' | 'published'>,
): { api: Interface; request: RowRequest } {
  const api = interfaces.get(question.api)
  if (!api) {
    accounts.identify(question.token)
    throw errors.unknownApi()
  }
  accounts.charge({
    token: question.token,
    address: call.address,
    api,
    newWording: question.newWording,
  })
  const params = readParams(question.params)
  const missing = api.needsOneOf && api.needsOneOf.every((name) => params.text(name) === undefined)
  if (missing) throw errors.required(api.needsOneOf?.[0] ?? '')
  return { api, request: { ...given, params } }
}

function readFields(fields: unknown): string | undefined {
  if (fields === undefined || fields === null || typeof fields === 'string')
    return fields ?? undefined
  // An array is the common mistake; the documented form is one comma-joined text.
  throw errors.badParameter('fields')
}

type FaultContext = {
  accounts: Accounts
  answer: (call: Call, change?: (page: Page) => Page) => Answer
  turn: number
}

function answerFault(
  kind: DoubleFault,
  call: Call,
  { accounts, answer, turn }: FaultContext,
): Answer {
  const question = tryRead(call)
  const limit = accounts.minuteLimit(question?.token)
  const refusal = (error: TushareError): Answer =>
    refuse(error, createHash('md5').update(call.body).digest('hex'))
  switch (kind) {
    case 'empty':
      return answer(call, (page) => ({ ...page, items: [], has_more: false }))
    case 'wrong_shape':
      return envelope(
        { status: 'success', result: { rows: [{ code: '600519', price: '1466' }] } },
        '',
      )
    case 'bad_numbers': {
      const whole = answer(call)
      return { ...whole, body: spoilNumbers(whole.body, turn) }
    }
    case 'lie':
      return answer(call, (page) => tellLie(page, turn))
    case 'quota':
      return refusal(
        errors.tooFast(question?.api ?? '', limit, 'minute', question?.newWording ?? false),
      )
    case 'quota_day':
      return refusal(
        errors.tooFast(question?.api ?? '', 8_000, 'day', question?.newWording ?? false),
      )
    case 'no_permission':
      return refusal(errors.noPermission())
    case 'bad_token':
      return refusal(errors.badToken())
    case 'ip_limit':
      return refusal(errors.tooManyAddresses(2))
    default:
      return kind satisfies never
  }
}

function tryRead(call: Call): Question | undefined {
  try {
    return readQuestion(call)
  } catch {
    // A fault was ordered for this call whatever it says.
    return undefined
  }
}

function refuse(error: TushareError, requestId: string): Answer {
  const unreadable = error.message.startsWith('不是合格')
  return envelope(
    {
      request_id: unreadable ? '' : requestId,
      code: error.code,
      data: null,
      msg: error.message,
      detail: unreadable ? '' : null,
    },
    `error_${error.code}`,
  )
}

function envelope(body: unknown, outcome: string): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    outcome,
  }
}
