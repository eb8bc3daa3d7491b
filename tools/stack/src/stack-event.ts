/** What the stack tells while it works; plain data, because a detached supervisor sends it to its starter. */
export type StackEvent =
  | { kind: 'begin'; step: string }
  | { kind: 'end'; step: string; ms: number }
  | { kind: 'fail'; step: string; ms: number }
  | { kind: 'say'; text: string }

export type Report = (event: StackEvent) => void

/** Reports a piece of work from beginning to end, with the time it took. */
export async function inStep<Result>(
  report: Report,
  step: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const startedAt = performance.now()
  const ms = () => Math.round(performance.now() - startedAt)
  report({ kind: 'begin', step })
  try {
    const result = await work()
    report({ kind: 'end', step, ms: ms() })
    return result
  } catch (error) {
    report({ kind: 'fail', step, ms: ms() })
    throw error
  }
}

export function formatEvent(event: StackEvent): string | undefined {
  switch (event.kind) {
    case 'begin':
    case 'fail':
      // Whoever asked for the step says why.
      return undefined
    case 'end':
      return `✓ ${event.step.padEnd(28)} ${formatSeconds(event.ms)}`
    case 'say':
      return event.text
    default:
      return event satisfies never
  }
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}
