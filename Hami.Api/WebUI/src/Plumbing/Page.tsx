import { Anchor, Breadcrumbs, Card, Group, Stack, Text, Title } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useEffect, type ReactNode } from 'react'

/** A page: its title, where it stands, what belongs beside the title, and its content. */
export function Page({ title, above, badge, actions, children }: {
  title: string
  /** The pages above it, outermost first. */
  above?: { title: string; to: string }[]
  badge?: ReactNode
  actions?: ReactNode
  children: ReactNode
}) {
  useEffect(() => {
    document.title = `${title} · HAMi`
  }, [title])
  return (
    <Stack gap="md">
      <Group justify="space-between" align="flex-end" wrap="wrap" gap="xs">
        <div style={{ minWidth: 0 }}>
          {above && (
            <Breadcrumbs separator="›" mb={2}>
              {above.map((page) => (
                <Anchor key={page.to} component={Link} to={page.to} size="sm">{page.title}</Anchor>
              ))}
            </Breadcrumbs>
          )}
          <Group gap="sm">
            <Title order={1} size="h2" style={{ overflowWrap: 'anywhere' }}>{title}</Title>
            {badge}
          </Group>
        </div>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
      {children}
    </Stack>
  )
}

/** A part of a page with a title. */
export function Panel({ title, hint, actions, children }: { title: string; hint?: string; actions?: ReactNode; children: ReactNode }) {
  return (
    <Card withBorder padding="md" radius="md" component="section" aria-label={title}>
      <Group justify="space-between" mb="sm" gap="xs">
        <div>
          <Title order={2} size="h5">{title}</Title>
          {hint && <Text size="xs" c="dimmed">{hint}</Text>}
        </div>
        {actions}
      </Group>
      {children}
    </Card>
  )
}

/** One fact: what it is, and its value. */
export function Fact({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div>
      <Text size="xs" c="dimmed">{label}</Text>
      <Text size="sm" component="div" style={{ overflowWrap: 'anywhere' }}>{children}</Text>
    </div>
  )
}
