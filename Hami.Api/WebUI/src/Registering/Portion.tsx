import { Text } from '@mantine/core'
import { Meter } from '../Plumbing/Meter'
import { Figure } from './Figure'

/** A part of a whole on a page of its own: what it is, how much, and its bar. */
export function Portion({ id, label, part, whole, text }: { id: string; label: string; part: number | null | undefined; whole: number | null | undefined; text?: string }) {
  return (
    <Figure id={id} value={part}>
      <Text size="xs" c="dimmed">{label}</Text>
      <Meter label={label} part={part} whole={whole} text={text} size="lg" />
    </Figure>
  )
}
