/** An error of the control surface, with everything needed to get the next try right. */
export function problem(
  status: number,
  detail: string,
  more: Record<string, unknown> = {},
): Response {
  const title =
    { 400: 'Bad request', 404: 'Not found', 413: 'Too large', 500: 'Internal error' }[status] ??
    'Error'
  return Response.json(
    { type: 'about:blank', title, status, detail, ...more },
    { status, headers: { 'content-type': 'application/problem+json' } },
  )
}
