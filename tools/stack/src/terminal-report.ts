import { formatEvent, formatSeconds, type Report } from './stack-event.ts'

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const plainReminderMs = 10_000

/** Shows events to a person: a moving line for what is going on, plain lines where there is no terminal. */
export function reportToTerminal(stream: NodeJS.WriteStream): Report {
  const open = new Map<string, number>()
  let timer: NodeJS.Timeout | undefined
  let frame = 0
  // The reader may go away (a closed terminal, a killed npm): that must not end the stack.
  stream.on('error', () => {})
  return (event) => {
    if (event.kind === 'begin') open.set(event.step, performance.now())
    if (event.kind === 'end' || event.kind === 'fail') open.delete(event.step)
    const line = formatEvent(event)
    const text = `${stream.isTTY ? '\r\u001b[2K' : ''}${line === undefined ? '' : `${line}\n`}`
    if (text !== '') stream.write(text)
    if (open.size === 0) {
      clearInterval(timer)
      timer = undefined
    } else if (!timer) {
      timer = setInterval(remind, stream.isTTY ? 100 : plainReminderMs)
      timer.unref()
    }
    if (stream.isTTY && open.size > 0) remind()
  }

  function remind(): void {
    frame = (frame + 1) % frames.length
    const work = [...open].map(
      ([step, since]) => `${step} ${formatSeconds(performance.now() - since)}`,
    )
    const text = work.join(', ')
    stream.write(
      stream.isTTY
        ? `\r\u001b[2K${frames[frame]} ${text.slice(0, stream.columns - 3)}`
        : `… still: ${text}\n`,
    )
  }
}
