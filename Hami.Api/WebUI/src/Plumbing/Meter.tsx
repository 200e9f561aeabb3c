import { Group, Progress, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import * as units from './units'

/** The colour of a fill: calm, filling, full. */
export function colourOf(percent: number | null): string {
  return percent == null ? 'gray' : percent < 50 ? 'teal' : percent < 80 ? 'blue' : percent <= 100 ? 'orange' : 'red'
}

/** A part of a whole as a bar with its numbers. More than the whole is shown full, in red, with its true number. */
export function Meter({ label, part, whole, text, size = 'sm', colour }: {
  label: string
  part: number | null | undefined
  whole: number | null | undefined
  /** Part and whole in words, such as 9.8 / 23.5 GiB. */
  text?: ReactNode
  size?: 'sm' | 'lg'
  /** Where full is neither good nor bad. */
  colour?: string
}) {
  const filled = units.share(part, whole)
  return (
    <div>
      <Group justify="space-between" gap={6} wrap="nowrap">
        <Text size={size === 'lg' ? 'sm' : 'xs'} truncate>{text}</Text>
        <Text size={size === 'lg' ? 'sm' : 'xs'} fw={500} style={{ whiteSpace: 'nowrap' }}>{units.percent(filled)}</Text>
      </Group>
      <Progress value={Math.min(100, filled ?? 0)} color={colour ?? colourOf(filled)} size={size === 'lg' ? 'md' : 'sm'} aria-label={`${label}: ${units.percent(filled)}`} />
    </div>
  )
}
