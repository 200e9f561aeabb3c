import { Box } from '@mantine/core'
import type { ReactNode } from 'react'

/** A number on a page, with its raw value for who compares it with what was answered. */
export function Figure({ id, value, children }: { id: string; value: number | string | null | undefined; children: ReactNode }) {
  return <Box data-testid={id} data-value={value ?? ''}>{children}</Box>
}
