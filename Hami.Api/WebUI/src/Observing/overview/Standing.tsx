import { Anchor, ColorSwatch, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import type { ClusterQuery } from '../../Plumbing/asked'
import { Panel } from '../../Plumbing/Page'
import * as units from '../../Plumbing/units'
import type { Search } from '../../Plumbing/url'

/** How many nodes and cards are well, each number the way to them. */
export function Standing({ cluster }: { cluster: ClusterQuery['cluster'] }) {
  const { t } = useTranslation('observing')
  const rest = (whole: number, part: number | null | undefined) => (part == null ? null : whole - part)
  return (
    <Panel title={t('overview.standing')}>
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="xl">
        <Stack gap={6}>
          <Text size="sm" fw={500}>{t('overview.nodes')}</Text>
          <Line id="ready" good label={t('overview.ready')} value={cluster.readyNodes} to="/nodes" search={{ ready: 'true' }} />
          <Line id="not-ready" label={t('overview.notReady')} value={rest(cluster.nodes, cluster.readyNodes)} to="/nodes" search={{ ready: 'false' }} />
          <Line id="schedulable" good label={t('overview.schedulable')} value={cluster.schedulableNodes} to="/nodes" search={{ schedulable: 'true' }} />
          <Line id="unschedulable" label={t('overview.unschedulable')} value={rest(cluster.nodes, cluster.schedulableNodes)} to="/nodes" search={{ schedulable: 'false' }} />
        </Stack>
        <Stack gap={6}>
          <Text size="sm" fw={500}>{t('overview.devices')}</Text>
          <Line id="healthy" good label={t('overview.healthy')} value={cluster.healthyDevices} to="/devices" search={{ healthy: 'true' }} />
          <Line id="unhealthy" label={t('overview.unhealthy')} value={cluster.devices - cluster.healthyDevices} to="/devices" search={{ healthy: 'false' }} />
          <Line id="cordoned" label={t('overview.cordoned')} value={cluster.cordonedDevices} to="/devices" search={{ cordoned: 'true' }} />
          <Line id="used" good label={t('overview.shared')} value={cluster.usedDevices} to="/devices" search={{ used: 'true' }} />
        </Stack>
      </SimpleGrid>
    </Panel>
  )
}

function Line({ id, label, good = false, value, to, search }: { id: string; label: string; good?: boolean; value: number | null | undefined; to: string; search: Search }) {
  return (
    <Group gap={8} wrap="nowrap">
      <ColorSwatch size={10} color={`var(--mantine-color-${!value ? 'gray-5' : good ? 'teal-6' : 'orange-6'})`} withShadow={false} />
      {/* What is unknown, as the API server's word on a past moment, leads nowhere. */}
      {value == null ? <Text size="sm" flex={1}>{label}</Text> : <Anchor component={Link} to={to} search={search as never} size="sm" flex={1}>{label}</Anchor>}
      <Text size="sm" fw={500} style={{ fontVariantNumeric: 'tabular-nums' }} data-testid={`overview-${id}`} data-value={value ?? ''}>{units.count(value)}</Text>
    </Group>
  )
}
