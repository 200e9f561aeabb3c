import { moment } from '../Plumbing/units'

/** A moment in a table, on one line. */
export function Time({ at }: { at: string | null | undefined }) {
  return <span style={{ whiteSpace: 'nowrap' }}>{moment(at)}</span>
}
