import { Progress, Text } from '@mantine/core'
import { colourOf } from '../../Plumbing/Meter'
import * as units from '../../Plumbing/units'

/** One of the cluster's great numbers: how much of it is taken, in percent and in its own unit. */
export function Gauge({ id, label, part, whole, percent = units.share(part, whole), text, hint }: {
  id: string
  label: string
  part: number | null | undefined
  whole: number | null | undefined
  /** Where it is not simply a part of a whole. */
  percent?: number | null
  text: string
  hint?: string
}) {
  return (
    <div data-testid={`overview-${id}`} data-value={part ?? ''} data-whole={whole ?? ''} data-percent={percent ?? ''}>
      <Text size="sm" c="dimmed">{label}</Text>
      <Text fz={28} fw={700} lh={1.3} style={{ fontVariantNumeric: 'tabular-nums' }}>{units.percent(percent, percent != null && percent < 10 ? 1 : 0)}</Text>
      <Progress value={Math.min(100, percent ?? 0)} color={colourOf(percent)} size="md" my={4} aria-label={`${label}: ${units.percent(percent)}`} />
      <Text size="sm">{text}</Text>
      {hint && <Text size="xs" c="dimmed">{hint}</Text>}
    </div>
  )
}
