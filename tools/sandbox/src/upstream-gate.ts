import type { IncomingMessage, ServerResponse } from 'node:http'
import type { CallCounts } from './call-counts.ts'
import type { Chaos } from './chaos.ts'
import { isDoubleFault, type WireFault } from './fault-kinds.ts'
import type { Faults, Misbehaviour } from './faults.ts'
import { misbehave, sendAnswer } from './misbehave.ts'
import type { BegunCall, Call, HttpDouble } from './third-party.ts'

export type UpstreamGate = {
  /** Counts a call and decides its fate: an ordered fault first, else chaos. */
  begin: (upstream: string, endpoint: string) => BegunCall & { how: Misbehaviour | undefined }
  /** One HTTP call to a double, from the parsed request to the last byte or the deliberate lack of it. */
  serve: (
    upstream: string,
    double: HttpDouble,
    call: Call,
    response: ServerResponse,
  ) => Promise<void>
}

/** Stands before every double, so that counting, faults and chaos are the same for all of them. */
export function createUpstreamGate({
  counts,
  faults,
  chaos,
}: {
  counts: CallCounts
  faults: Faults
  chaos: Chaos
}): UpstreamGate {
  const begin: UpstreamGate['begin'] = (upstream, endpoint) => {
    const counted = counts.begin(upstream, endpoint)
    const ordered = faults.take(upstream, endpoint)
    const how = ordered ?? chaos.draw(upstream)
    const source = ordered ? 'fault' : 'chaos'
    return {
      how,
      fault: how?.kind,
      end: (outcome) => counted.end(how ? `${source}_${how.kind}` : outcome),
    }
  }
  return {
    begin,
    serve: async (upstream, double, call, response) => {
      const { how, end } = begin(upstream, double.endpointOf(call))
      if (!how) {
        const answer = double.answer(call)
        end(answer.outcome)
        sendAnswer(answer, response)
        return
      }
      end(how.kind)
      if (isDoubleFault(how.kind)) sendAnswer(double.answerFault(how.kind, call), response)
      else
        await misbehave(
          { ...how, kind: how.kind satisfies WireFault },
          () => double.answer(call),
          response,
        )
    },
  }
}

/** What a double sees of a request whose body has been read. */
export function toCall(request: IncomingMessage, path: string, body: string): Call {
  return {
    method: request.method ?? 'GET',
    path,
    headers: request.headers,
    body,
    address: (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''),
  }
}
