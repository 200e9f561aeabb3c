import { Group, Stack, Title } from '@mantine/core'
import type { ReactNode } from 'react'

/** A part of a page that brings its own frame, such as a list, with a title. */
export function Section({ title, actions, children }: { title: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <Stack component="section" gap={6}>
      <Group justify="space-between" gap="xs">
        <Title order={2} size="h5">{title}</Title>
        {actions}
      </Group>
      {children}
    </Stack>
  )
}
