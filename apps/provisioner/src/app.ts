import type { Guards } from '@twilight/auth/guard'
import { revokeKey } from '@twilight/auth/issue-key'
import type { Database } from '@twilight/database/schema'
import type { HealthCheck } from '@twilight/service/health'
import { createHttpApp, type HttpApp } from '@twilight/service/http'
import type { Logger } from '@twilight/service/log'
import type { Metrics } from '@twilight/service/metrics'
import type { Bus } from '@twilight/service/nats'
import { annotate, type Route, route } from '@twilight/service/route'
import type { Kysely } from 'kysely'
import { z } from 'zod'
import { issuedKey, issueUserKey, keyOrder, readIdempotencyKey } from './issue-user-key.ts'
import { listUserKeys, userKeys } from './list-user-keys.ts'
import { readUserUsage, usageDays, userUsage } from './user-usage.ts'
import { createUser, findUser, listUsers, newUser, pageOfUsers, user, userPage } from './users.ts'

export const service = 'provisioner'

/** The control plane over HTTP: every route needs an admin key. */
export function createApp(
  dependencies: Access & { version: string; log: Logger; metrics: Metrics; checks: HealthCheck[] },
): HttpApp {
  const { version, log, metrics, checks } = dependencies
  return createHttpApp({ service, version, log, metrics, checks, routes: menu(dependencies) })
}

type Access = { db: Kysely<Database>; bus: Bus; guards: Pick<Guards, 'adminKey'> }

/** The menu of provisioner: path, guard, handler. The frame adds /livez, /healthz, /metrics and /openapi.json. */
function menu({ db, bus, guards }: Access): Route[] {
  const guard = guards.adminKey()
  const params = z.object({ id: z.uuid() })
  return [
    route(
      'POST',
      '/admin/users',
      {
        summary: 'Make a user, or get the one of this name; 201 when made',
        guard,
        body: newUser,
        answers: user,
        problems: ['conflict'],
      },
      async ({ body }, c) => {
        const made = await createUser(db, body)
        return c.json(made.user, made.created ? 201 : 200)
      },
    ),
    route(
      'GET',
      '/admin/users',
      { summary: 'Users by name, a page at a time', guard, query: pageOfUsers, answers: userPage },
      ({ query }) => listUsers(db, query),
    ),
    route(
      'GET',
      '/admin/users/:id',
      { summary: 'A user', guard, params, answers: user, problems: ['not_found'] },
      ({ params: { id } }) => findUser(db, id),
    ),
    route(
      'POST',
      '/admin/users/:id/keys',
      {
        summary: 'Issue a user key and show it, once; answers 201',
        guard,
        params,
        body: keyOrder,
        answers: issuedKey,
        problems: ['not_found', 'conflict', 'idempotency_key_reused'],
      },
      async ({ params: { id: userId }, body: order, caller }, c) => {
        const idempotencyKey = readIdempotencyKey(c.req.header('idempotency-key'))
        const issued = await issueUserKey(db, {
          callerId: caller.keyId,
          userId,
          order,
          idempotencyKey,
        })
        annotate(c, { issued_key_id: issued.id })
        return c.json(issued, 201, { 'cache-control': 'no-store' })
      },
    ),
    route(
      'GET',
      '/admin/users/:id/keys',
      { summary: 'The keys of a user', guard, params, answers: userKeys, problems: ['not_found'] },
      ({ params: { id } }) => listUserKeys(db, id),
    ),
    route(
      'DELETE',
      '/admin/keys/:id',
      {
        summary: 'Revoke a key for ever; it dies everywhere within a second, and twice is harmless',
        guard,
        params,
        answers: z.object({ id: z.uuid(), revoked_at: z.iso.datetime() }),
        problems: ['not_found'],
      },
      async ({ params: { id } }, c) => {
        const { revokedAt } = await revokeKey({ db, bus }, id)
        annotate(c, { revoked_key_id: id })
        return { id, revoked_at: revokedAt.toISOString() }
      },
    ),
    route(
      'GET',
      '/admin/users/:id/usage',
      {
        summary: 'What a user asked for, by endpoint by day',
        guard,
        params,
        query: usageDays,
        answers: userUsage,
        problems: ['not_found'],
      },
      ({ params: { id }, query }) => readUserUsage(db, id, query),
    ),
  ]
}
