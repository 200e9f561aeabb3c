import { Anchor, ColorSwatch, Group, RingProgress, Stack, Text } from '@mantine/core'
import * as units from '../units'

const colours = ['blue.6', 'teal.6', 'grape.6', 'orange.6', 'cyan.6', 'pink.6', 'lime.7', 'indigo.4', 'yellow.7', 'gray.6']

/** Parts of a whole, with a legend that can be clicked. */
export function Donut({ label, middle, parts, onChoose }: {
  label: string
  /** What stands in the middle. */
  middle?: string
  parts: { name: string; value: number }[]
  onChoose?: (name: string) => void
}) {
  const whole = parts.reduce((sum, part) => sum + part.value, 0)
  const coloured = parts.map((part, i) => ({ ...part, colour: colours[i % colours.length]! }))
  return (
    <Group gap="lg" align="center" role="group" aria-label={label}>
      <RingProgress
        size={140}
        thickness={18}
        aria-hidden
        label={<Text ta="center" size="sm" fw={600}>{middle}</Text>}
        sections={coloured.map((part) => ({
          value: units.share(part.value, whole) ?? 0,
          color: part.colour,
          tooltip: `${part.name}: ${units.count(part.value)}`,
          onClick: onChoose && (() => onChoose(part.name)),
          style: onChoose && { cursor: 'pointer' },
        }))}
      />
      <Stack gap={4} style={{ minWidth: 0, flex: '1 1 220px' }}>
        {coloured.map((part) => (
          <Group key={part.name} gap={8} wrap="nowrap">
            <ColorSwatch size={10} color={`var(--mantine-color-${part.colour.replace('.', '-')})`} withShadow={false} />
            {onChoose ? <Anchor component="button" size="sm" ta="left" onClick={() => onChoose(part.name)}>{part.name}</Anchor> : <Text size="sm">{part.name}</Text>}
            <Text size="sm" c="dimmed" style={{ whiteSpace: 'nowrap' }}>{units.count(part.value)} · {units.percent(units.share(part.value, whole))}</Text>
          </Group>
        ))}
      </Stack>
    </Group>
  )
}
